"""A client's budget is one bucket for all processes, refills, and is never overdrawn."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from gateway import budgets
from gateway.budgets import BudgetExceeded, Budgets

pytestmark = pytest.mark.anyio

CLIENT = "bank-app"
#: Refills so slowly that a test sees nothing of it: a point a second.
BUDGET = 60


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=4) as pool:
        yield pool


async def pass_seconds(pool: asyncpg.Pool, seconds: float) -> None:
    await pool.execute("UPDATE client_budgets SET filled_at = filled_at - $1 * interval '1 second'", float(seconds))


async def spent(process: Budgets, points: int, budget: int = BUDGET) -> int:
    """Spend in ones until it is refused, at most so often; return how much that was."""
    for number in range(points):
        try:
            await process.spend(CLIENT, budget, 1)
        except BudgetExceeded:
            return number
    return points


async def test_a_bucket_is_a_minutes_budget_and_no_more(pool: asyncpg.Pool) -> None:
    process = Budgets(pool)
    await process.spend(CLIENT, BUDGET, BUDGET)
    with pytest.raises(BudgetExceeded) as refused:
        await process.spend(CLIENT, BUDGET, 30)
    assert 28 <= refused.value.retry_after_seconds <= 30


async def test_it_refills(pool: asyncpg.Pool) -> None:
    clock = Clock()
    process = Budgets(pool, clock=clock)
    await process.spend(CLIENT, BUDGET, BUDGET)
    clock.now += 30
    await pass_seconds(pool, 30)
    await process.spend(CLIENT, BUDGET, 30)
    with pytest.raises(BudgetExceeded):
        await process.spend(CLIENT, BUDGET, 5)
    clock.now += 10_000
    await pass_seconds(pool, 10_000)
    with pytest.raises(BudgetExceeded):
        await process.spend(CLIENT, BUDGET, BUDGET + 5)


async def test_processes_share_it(pool: asyncpg.Pool) -> None:
    one, other = Budgets(pool), Budgets(pool)
    total = sum(await asyncio.gather(spent(one, 100), spent(other, 100)))
    # Some refills while the test runs, and a share of each process may lie idle.
    assert BUDGET - 2 <= total <= BUDGET + 10


async def test_requests_at_once_are_never_given_more_than_there_is(pool: asyncpg.Pool) -> None:
    process = Budgets(pool)

    async def one() -> bool:
        try:
            await process.spend(CLIENT, BUDGET, 7)
        except BudgetExceeded:
            return False
        return True

    taken = sum(await asyncio.gather(*(one() for _ in range(50))))
    assert taken == BUDGET // 7


async def test_what_is_left_can_be_spent_after_something_dear_was_refused(pool: asyncpg.Pool) -> None:
    process = Budgets(pool)
    await process.spend(CLIENT, BUDGET, 40)
    with pytest.raises(BudgetExceeded):
        await process.spend(CLIENT, BUDGET, 50)
    await process.spend(CLIENT, BUDGET, 15)


async def test_a_share_is_spent_and_a_refusal_repeated_without_asking(pool: asyncpg.Pool) -> None:
    clock = Clock()
    process = Budgets(pool, clock=clock)
    budget = 6_000
    await process.spend(CLIENT, budget, 1)
    async with pool.acquire() as connection:
        await connection.execute("DROP TABLE client_budgets")
    for _ in range(budget // 60 - 1):
        await process.spend(CLIENT, budget, 1)
    with pytest.raises(asyncpg.UndefinedTableError):
        await process.spend(CLIENT, budget, 1)
    with pytest.raises(BudgetExceeded):
        await process.spend(CLIENT, budget, budget + 1)


async def test_clients_have_a_bucket_each(pool: asyncpg.Pool) -> None:
    process = Budgets(pool)
    await process.spend(CLIENT, BUDGET, BUDGET)
    await process.spend("another", BUDGET, BUDGET)


async def test_no_limit_asks_nobody() -> None:
    process = Budgets(None)
    await process.spend(CLIENT, 0, 10**9)
    process.require_any(CLIENT, 0)
    assert process.told(CLIENT, 0) is None


async def test_an_empty_bucket_is_known_before_a_document_is_parsed(pool: asyncpg.Pool) -> None:
    clock = Clock()
    process = Budgets(pool, clock=clock)
    process.require_any(CLIENT, BUDGET)
    await process.spend(CLIENT, BUDGET, BUDGET)
    with pytest.raises(BudgetExceeded):
        process.require_any(CLIENT, BUDGET)
    clock.now += 2
    process.require_any(CLIENT, BUDGET)


async def test_what_is_told(pool: asyncpg.Pool) -> None:
    clock = Clock()
    process = Budgets(pool, clock=clock)
    await process.spend(CLIENT, 90, 50)
    assert process.told(CLIENT, 90) == {"limit": 90, "remaining": 40, "refillsPerSecond": 1.5}
    clock.now += 10
    assert process.told(CLIENT, 90) == {"limit": 90, "remaining": 55, "refillsPerSecond": 1.5}
    clock.now += 1000
    assert process.told(CLIENT, 90) == {"limit": 90, "remaining": 90, "refillsPerSecond": 1.5}


async def test_shares_are_kept_of_so_many_clients(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "MAX_CLIENTS", 2)
    process = Budgets(pool)
    for client in ("a", "b", "a", "c"):
        await process.spend(client, BUDGET, 1)
    assert list(process._buckets) == ["a", "c"]
