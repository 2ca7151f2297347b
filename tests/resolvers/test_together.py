"""People who are looked for at the same time are looked for in one statement; each answer is as if asked alone."""

import asyncio
from typing import Any

import pytest

from gateway.demo.client import document
from resolvers.lookups import Limits
from tests.acceptance.people import SANDBOX, Person, resident_id
from tests.desk import CountingDesk, Desk

pytestmark = pytest.mark.anyio

STRANGER = Person(resident_id("36999919700228100"), "周一")
MISNAMED = Person(SANDBOX[0].resident_id, "王芳")

EVERYTHING = """
    query ($residentId: ResidentId!, $name: String!) {
      payer(residentId: $residentId, name: $name) {
        id maskedName maskedResidentId
        enrolments { insurance firstMonth lastMonth poolingArea { name } }
        payablePeriods { insurance mode firstMonth lastMonth tiers { code monthlyAmount } }
        assessedBills(status: null) { edges { cursor node { id billNumber amount status lines { month amount } } } }
        receipts(year: 2020) { edges { node { number } } }
      }
    }
"""


async def all_at_once(desk: CountingDesk, text: str, people: list[Person]) -> list[Any]:
    await asyncio.sleep(0)
    desk.statements.clear()
    answers = await asyncio.gather(*(Desk.run(desk, text, **person.variables) for person in people))
    await asyncio.sleep(0)
    return list(answers)


@pytest.mark.parametrize("text", [document("find_payer"), EVERYTHING], ids=["find_payer", "everything"])
async def test_each_gets_the_answer_that_it_would_get_alone(desk: CountingDesk, text: str) -> None:
    alone = [await desk.run(text, **person.variables) for person in SANDBOX]
    assert len({answer["id"] for answer in alone}) == len(SANDBOX)
    assert await all_at_once(desk, text, list(SANDBOX)) == alone
    assert len(desk.statements) == 1
    backwards = [*reversed(SANDBOX), SANDBOX[2]]
    assert await all_at_once(desk, text, backwards) == [*reversed(alone), alone[2]]
    assert len(desk.statements) == 1


async def test_who_is_not_found_is_counted_and_nobody_else(desk: CountingDesk) -> None:
    text = document("find_payer")
    known = [person for person in SANDBOX if person.resident_id != MISNAMED.resident_id]
    expected = [await desk.run(text, **person.variables) for person in known]
    for _ in range(Limits().number):
        answers = await all_at_once(desk, text, [known[0], STRANGER, *known[1:], MISNAMED])
        assert [answer for answer in answers if answer is not None] == expected
        assert answers[1] is answers[-1] is None
    # The right name comes too late now: the number is locked, for whoever asks beside whom.
    answers = await all_at_once(desk, text, [*known, SANDBOX[0]])
    assert answers == [*expected, None]


async def test_what_was_asked_differently_is_not_mixed(desk: CountingDesk) -> None:
    """Other fields, and another length of a list, are other statements."""
    texts = [document("find_payer"), EVERYTHING, EVERYTHING.replace("status: null", "status: null, first: 1")]
    for person in SANDBOX:
        await desk.run(texts[0], **person.variables)
    expected = [[await desk.run(text, **person.variables) for person in SANDBOX] for text in texts]
    asked = [(text, person) for person in SANDBOX for text in texts]
    await asyncio.sleep(0)
    desk.statements.clear()
    answers = await asyncio.gather(*(Desk.run(desk, text, **person.variables) for text, person in asked))
    await asyncio.sleep(0)
    assert len(desk.statements) == len(texts)
    assert list(answers) == [expected[texts.index(text)][SANDBOX.index(person)] for text, person in asked]
