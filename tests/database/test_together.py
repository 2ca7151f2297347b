"""What several ask at the same time is one statement, and everybody gets the own answer, or the own error."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

import database.lending
from database.pool import InstitutionPool, open_pool
from database.together import MAX_TOGETHER, Question

pytestmark = pytest.mark.anyio

#: Even numbers have a row. Who asks is told the number, what is the same for a group, and for whom is asked.
EVENS = """
    SELECT $1::integer AS number, $2::text AS shared, current_setting('gateway.institution_id') AS institution
    FROM generate_series(1, 1) WHERE $1::integer % 2 = 0
"""


def question(sql: str = EVENS, *, given: tuple[int, ...] = (0,), of_call: tuple[int, ...] = (1,)) -> Question:
    return Question(sql, given, of_call)


class Asking:
    """A pool of one connection, and the statements that reached PostgreSQL."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.own = InstitutionPool(pool, 1)
        self.statements: list[str] = []

    def count(self, query: Any) -> None:
        if not any(word in query.query for word in ("typeinfo", "'jit'", "set_config")):
            self.statements.append(query.query)

    async def all_of(self, *asked: Any) -> list[Any]:
        """Return what comes of each, errors included, when all are asked for in one turn of the loop."""
        answers = await asyncio.gather(*asked, return_exceptions=True)
        # asyncpg tells of a statement at the loop's next turn.
        await asyncio.sleep(0)
        return answers


@pytest.fixture
async def asking(empty_database: str) -> AsyncIterator[Asking]:
    async with await open_pool(empty_database, max_size=1) as pool:
        asking = Asking(pool)
        async with pool.acquire() as connection:
            connection.add_query_logger(asking.count)
        yield asking


async def test_those_who_ask_at_once_are_one_statement_and_get_their_own_row(asking: Asking) -> None:
    evens = question()
    numbers = [4, 1, 8, 4, 3, 6]
    answers = await asking.all_of(*(asking.own.ask(evens, [number, "same"]) for number in numbers))
    assert [answer and (answer["number"], answer["shared"]) for answer in answers] == [
        (4, "same"),
        None,
        (8, "same"),
        (4, "same"),
        None,
        (6, "same"),
    ]
    assert asking.statements == [evens.together]


async def test_who_asks_alone_asks_the_statement_itself(asking: Asking) -> None:
    evens = question()
    row = await asking.own.ask(evens, [2, "same"])
    assert row is not None
    assert tuple(row) == (2, "same", "1")
    assert await asking.own.ask(evens, [3, "same"]) is None
    await asyncio.sleep(0)
    assert asking.statements == [evens.alone] * 2


async def test_no_more_than_so_many_are_one_statement(asking: Asking) -> None:
    evens = question()
    asked = 2 * MAX_TOGETHER + 1
    answers = await asking.all_of(*(asking.own.ask(evens, [2 * n, "same"]) for n in range(asked)))
    assert [answer["number"] for answer in answers] == [2 * n for n in range(asked)]
    assert asking.statements == [evens.together] * 2 + [evens.alone]


async def test_those_of_whom_something_else_differs_are_apart(asking: Asking) -> None:
    """Such as the client, or the business date; and another institution in any case."""
    evens, other = question(), InstitutionPool(asking.pool, 2)
    answers = await asking.all_of(
        asking.own.ask(evens, [2, "one"]),
        other.ask(evens, [2, "one"]),
        asking.own.ask(evens, [4, "two"]),
        other.ask(evens, [6, "one"]),
        asking.own.ask(evens, [8, "one"]),
    )
    assert [tuple(answer)[:3] for answer in answers] == [
        (2, "one", "1"),
        (2, "one", "2"),
        (4, "two", "1"),
        (6, "one", "2"),
        (8, "one", "1"),
    ]
    assert sorted(asking.statements) == sorted([evens.together, evens.together, evens.alone])


async def test_who_waits_for_a_connection_is_joined(asking: Asking) -> None:
    evens = question()
    async with asking.pool.acquire():
        waiting = []
        for number in (2, 4, 6):
            waiting.append(asyncio.ensure_future(asking.own.ask(evens, [number, "same"])))
            await asyncio.sleep(0.01)
    answers = await asking.all_of(*waiting)
    assert [answer["number"] for answer in answers] == [2, 4, 6]
    assert asking.statements == [evens.together]


@pytest.mark.parametrize(
    ("bad", "error"),
    [(0, asyncpg.DivisionByZeroError), ("no number", asyncpg.DataError)],
    ids=["that PostgreSQL refuses", "that can't be sent"],
)
async def test_what_one_asks_for_harms_nobody_else(asking: Asking, bad: object, error: type[Exception]) -> None:
    quotients = question("SELECT 12 / $1::integer AS quotient", of_call=())
    answers = await asking.all_of(*(asking.own.ask(quotients, [number]) for number in (3, bad, 4)))
    assert [answers[0]["quotient"], answers[2]["quotient"]] == [4, 3]
    assert isinstance(answers[1], error)
    # And whoever comes next is not kept apart.
    answers = await asking.all_of(*(asking.own.ask(quotients, [number]) for number in (3, 4)))
    assert [answer["quotient"] for answer in answers] == [4, 3]


async def test_who_goes_away_is_not_asked_for(asking: Asking) -> None:
    evens = question()
    first, second, third = (asyncio.ensure_future(asking.own.ask(evens, [number, "same"])) for number in (2, 4, 6))
    first.cancel()
    answers = await asking.all_of(second, third)
    assert [answer["number"] for answer in answers] == [4, 6]
    gone = [asyncio.ensure_future(asking.own.ask(evens, [number, "same"])) for number in (2, 4)]
    for one in gone:
        one.cancel()
    await asking.all_of(*gone)
    await asyncio.sleep(0.01)
    assert asking.statements == [evens.together], "nobody was left to ask"
    row = await asking.own.ask(evens, [8, "same"])
    assert row is not None


async def test_all_are_told_that_no_connection_came_in_time(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database.lending, "ACQUIRE_TIMEOUT_SECONDS", 0.05)
    evens = question()
    async with asking.pool.acquire():
        answers = await asking.all_of(*(asking.own.ask(evens, [number, "same"]) for number in (2, 4)))
    assert [type(answer) for answer in answers] == [TimeoutError, TimeoutError]
    row = await asking.own.ask(evens, [2, "same"])
    assert row is not None


async def test_each_use_is_a_transaction_where_the_session_is_not_the_gateway_s(empty_database: str) -> None:
    evens = question()
    async with await open_pool(empty_database, max_size=2, statement_cache_size=0) as pool:
        own, other = (InstitutionPool(pool, number, for_transactions=True) for number in (1, 2))
        answers = await asyncio.gather(
            *(each.ask(evens, [number, "same"]) for number in (2, 4) for each in (own, other))
        )
        assert [answer and answer["institution"] for answer in answers] == ["1", "2", "1", "2"]
