"""Whoever names a person in vain learns nothing from it, and not for long."""

import asyncio
import datetime
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg
import pytest

from auth import scopes
from auth.tokens import Caller
from database.pool import InstitutionPool, open_pool
from database.vault import Vault
from resolvers import lookups, payers
from resolvers.asking import NOTHING
from resolvers.call import Call
from resolvers.lookups import Limits, Locked, Lookups
from tests.acceptance.people import CHEN, LIU, Person, newcomers

pytestmark = pytest.mark.anyio

TODAY = datetime.date(2020, 11, 16)
#: No test waits: what an answer is held back by is looked at, not lived through.
LIMITS = Limits(number=4, everywhere=8, client=20, delay=datetime.timedelta(0))
STRANGER = next(newcomers())
MISNAMED = Person(CHEN.resident_id, "王芳")


@dataclass
class Banks:
    """Clients that look for people over one pool."""

    pool: asyncpg.Pool
    vault: Vault
    limits: Limits = LIMITS
    told: list[tuple[str, Locked | None]] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lookups = Lookups(self.limits, lambda client_id, locked: self.told.append((client_id, locked)))

    async def finds(self, person: Person, client_id: str = "abc-counter") -> bool:
        caller = Caller(client_id, 2, "ABC", "农业银行", "BANK", "COUNTER", scopes.COUNTER)
        own = InstitutionPool(self.pool, caller.institution_id)
        call = Call(caller, own, self.vault, TODAY, datetime.timedelta(minutes=30), lookups=self._lookups)
        # asyncpg tells of a statement at the loop's next turn.
        await asyncio.sleep(0)
        self.statements.clear()
        found = await payers.payer(call, person.resident_id, person.name, NOTHING)
        await asyncio.sleep(0)
        return found is not None

    async def fails(self, times: int, person: Person = MISNAMED, client_id: str = "abc-counter") -> None:
        for _ in range(times):
            assert not await self.finds(person, client_id)

    @property
    def locks(self) -> list[tuple[str, Locked]]:
        return [(client_id, locked) for client_id, locked in self.told if locked]

    async def age(self, by: str = "2 hours") -> None:
        await self.pool.execute(
            """
            UPDATE lookup_failures SET ends_at = ends_at - $1::text::interval,
                locked_until = locked_until - $1::text::interval
            """,
            by,
        )


@pytest.fixture
async def banks(sandbox_copy: str, vault_key: bytes) -> AsyncIterator[Banks]:
    pool = await open_pool(sandbox_copy, max_size=4)
    async with pool.acquire() as connection:
        banks = Banks(pool, await Vault.open(connection, vault_key))
    yield banks
    await pool.close()


async def test_unknown_misnamed_and_locked_take_the_same_statements(sandbox_copy: str, vault_key: bytes) -> None:
    pool = await open_pool(sandbox_copy, max_size=1)
    async with pool.acquire() as connection:
        banks = Banks(pool, await Vault.open(connection, vault_key))
        # Whom a connection acts for is said once, as long as its requests are of one institution.
        connection.add_query_logger(
            lambda query: "gateway.institution_id" in query.query or banks.statements.append(query.query)
        )
    taken = []
    for person, known in ((STRANGER, False), (MISNAMED, False), (LIU, True)):
        assert await banks.finds(person) is known
        taken.append(tuple(banks.statements))
    assert taken[0] == taken[1]
    assert len(taken[0]) == len(taken[2]) == 2, "the count of the failure, the naming of the person"
    await banks.fails(LIMITS.number, Person(LIU.resident_id, "王芳"))
    assert not await banks.finds(LIU)
    assert tuple(banks.statements) == taken[0]
    assert await banks.finds(CHEN)
    await banks.finds(CHEN)
    assert len(banks.statements) == 1, "nothing is written for a person that the institution has named"
    await pool.close()


async def test_a_person_is_found_by_the_name_s_index_alone(sandbox_copy: str, vault_key: bytes) -> None:
    # To come across the row of the number, and then see that the name differs, takes time that an unknown number
    # does not.
    pool = await open_pool(sandbox_copy, max_size=1)
    async with pool.acquire() as connection:
        banks = Banks(pool, await Vault.open(connection, vault_key))
        # Whom a connection acts for is said once, as long as its requests are of one institution.
        connection.add_query_logger(
            lambda query: "gateway.institution_id" in query.query or banks.statements.append(query.query)
        )
    await banks.fails(1)
    statement = next(text for text in banks.statements if "FROM payers" in text)
    assert "p.name_index =" in statement
    assert "p.resident_id_index" not in statement
    await pool.close()


async def test_a_client_that_keeps_guessing_is_locked_out_of_the_number_and_finds_others(banks: Banks) -> None:
    await banks.fails(LIMITS.number - 1)
    assert await banks.finds(CHEN), "it found the person in the end"
    await banks.fails(LIMITS.number)
    assert not await banks.finds(CHEN), "the right name comes too late"
    assert await banks.finds(LIU)
    assert await banks.finds(CHEN, "icbc-mobile"), "another bank's payer is not to suffer"
    assert banks.locks == [("abc-counter", "NUMBER")]
    await banks.age("20 minutes")
    assert await banks.finds(CHEN)


async def test_a_known_person_in_between_does_not_hide_the_search_for_others(banks: Banks) -> None:
    people = newcomers()
    for _ in range(LIMITS.client):
        assert await banks.finds(CHEN)
        await banks.fails(1, next(people))
    assert banks.locks == [("abc-counter", "CLIENT")]
    assert not await banks.finds(CHEN)
    assert await banks.finds(CHEN, "abc-mobile")


async def test_a_number_tried_by_many_clients_is_locked_for_each_that_fails_and_for_no_other(banks: Banks) -> None:
    clients = ("icbc-mobile", "abc-counter", "abc-mobile", "tax-wechat")
    for client_id in clients:
        await banks.fails(2, client_id=client_id)
    assert banks.locks == [("tax-wechat", "NUMBER")], "the eighth failure"
    await banks.fails(1, client_id="ganfutong")
    assert not await banks.finds(CHEN, "ganfutong")
    assert await banks.finds(CHEN, "tax-window"), "who has the name right is let through"


async def test_failures_are_forgotten_after_their_time(banks: Banks) -> None:
    for _ in range(3):
        await banks.fails(LIMITS.number - 1)
        await banks.age()
    assert banks.locks == []
    assert await banks.finds(CHEN)


async def test_what_has_ended_leaves_no_rows_and_a_locked_client_adds_none(banks: Banks) -> None:
    people = newcomers()
    for _ in range(LIMITS.client):
        await banks.fails(1, next(people))
    locked = await banks.pool.fetchval("SELECT count(*) FROM lookup_failures")
    assert locked == 2 * LIMITS.client + 1
    for _ in range(10):
        await banks.fails(1, next(people))
    assert await banks.pool.fetchval("SELECT count(*) FROM lookup_failures") == locked + 2
    await banks.age()
    await banks.fails(10, next(people), "icbc-mobile")
    assert await banks.pool.fetchval("SELECT count(*) FROM lookup_failures") == 3


async def test_a_lock_leaves_one_entry_in_the_trail_without_the_number(banks: Banks) -> None:
    await banks.fails(LIMITS.number + 5)
    entries = await banks.pool.fetch(
        "SELECT actor, subject, detail::text FROM audit_entries WHERE action = 'LOOKUPS_LOCKED'"
    )
    ((actor, subject, detail),) = entries
    assert actor == "client:abc-counter"
    assert subject == "lookups:abc-counter/" + banks.vault.resident_id_index(CHEN.resident_id).hex()
    assert "failures" in detail
    assert len(banks.told) == LIMITS.number + 5


async def test_many_names_at_once_are_counted_before_the_right_one_is_told(banks: Banks) -> None:
    guesses = [Person(CHEN.resident_id, name) for name in "赵钱孙李周吴郑王冯褚"]
    found = await asyncio.gather(*(banks.finds(guess) for guess in (*guesses, CHEN)))
    assert not any(found)
    assert banks.locks == [("abc-counter", "NUMBER")]


async def test_processes_share_the_counts(banks: Banks) -> None:
    other = Banks(banks.pool, banks.vault)
    for bank in (banks, other) * 2:
        await bank.fails(1)
    assert not await other.finds(CHEN)
    assert not await banks.finds(CHEN)


async def test_the_delay_grows_to_its_bound_and_the_first_errors_are_free(banks: Banks) -> None:
    number = banks.vault.resident_id_index(STRANGER.resident_id)
    counted = Lookups(Limits(number=4, everywhere=8, client=20, delay=datetime.timedelta(seconds=1)))
    delays = [await counted.failed(banks.pool, "abc-counter", number) for _ in range(6)]
    assert delays == [0, 0, 0.5, 1, 1, 1]


async def test_few_answers_are_held_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[float] = []
    ended = asyncio.Event()

    async def sleep(seconds: float) -> None:
        held.append(seconds)
        await ended.wait()

    monkeypatch.setattr(lookups.asyncio, "sleep", sleep)
    kept = Lookups()
    await kept.hold_back(0)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(lookups.MAX_HELD_BACK):
            tasks.create_task(kept.hold_back(0.25))
        while len(held) < lookups.MAX_HELD_BACK:
            await _yielded()
        await kept.hold_back(0.25)
        assert held == [0.25] * lookups.MAX_HELD_BACK
        ended.set()


async def _yielded() -> None:
    loop = asyncio.get_running_loop()
    turn = loop.create_future()
    loop.call_soon(turn.set_result, None)
    await turn
