"""A budget in Redis is one bucket for all processes, exactly; while Redis is away, PostgreSQL keeps it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from prometheus_client import Counter
from structlog.testing import capture_logs

from gateway import redis_budgets
from gateway.budgets import BudgetExceeded, Budgets
from gateway.redis_budgets import KEY_PREFIX, RedisBudgets, budgets_in_redis
from tests.redis_servers import RedisServer, redis_server

pytestmark = pytest.mark.anyio

CLIENT = "bank-app"
#: What a minute refills, where the test sees to the time.
BUDGET = 60
#: A busy machine is no outage.
TIMEOUT_SECONDS = 2.0


@pytest.fixture(scope="module")
def running_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(running_redis: RedisServer) -> RedisServer:
    """A Redis that runs and holds nothing."""
    if running_redis.process is None:
        running_redis.start()
    with running_redis.administrator() as client:
        client.flushall()
    return running_redis


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=4) as pool:
        yield pool


@asynccontextmanager
async def process(redis: RedisServer, pool: asyncpg.Pool | None = None) -> AsyncIterator[RedisBudgets]:
    """The budgets of one process; without a pool it would fail if it asked PostgreSQL."""
    async with budgets_in_redis(
        redis.url, Budgets(pool), Counter("failures", "", registry=None), timeout_seconds=TIMEOUT_SECONDS
    ) as budgets:
        yield budgets


def pass_seconds(redis: RedisServer, budgets: RedisBudgets, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time pass: in Redis by moving the bucket's into the past, in the process by its clock."""
    with redis.administrator() as client:
        for key in client.scan_iter(f"{KEY_PREFIX}*"):
            client.hincrbyfloat(key, "filled_at", -seconds)
    clock = budgets._clock
    monkeypatch.setattr(budgets, "_clock", lambda: clock() + seconds)


async def spent(budgets: RedisBudgets, budget: int, tries: int) -> int:
    """Spend in ones, whatever the process itself knows; return how often it was granted."""
    granted = 0
    for _ in range(tries):
        budgets._seen.clear()
        try:
            await budgets.spend(CLIENT, budget, 1)
        except BudgetExceeded:
            continue
        granted += 1
    return granted


def frozen(redis: RedisServer, budget: int) -> None:
    """Fill a bucket in a time to come: nothing refills it before."""
    with redis.administrator() as client:
        client.hset(KEY_PREFIX + CLIENT, mapping={"points": budget, "filled_at": "32503680000"})


async def test_processes_share_a_bucket_to_the_point(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # A bucket that takes three years to refill, so that what is granted is what it held.
    monkeypatch.setattr(redis_budgets, "BUCKET_SECONDS", 100_000_000)
    async with process(redis) as one, process(redis) as other:
        granted = await asyncio.gather(*(spent(budgets, 60, 10) for budgets in (one, other) for _ in range(8)))
        assert sum(granted) == 60


async def test_a_bucket_holds_a_minutes_budget_and_tells_when_to_come_again(redis: RedisServer) -> None:
    async with process(redis) as budgets:
        await budgets.spend(CLIENT, BUDGET, BUDGET)
        with pytest.raises(BudgetExceeded) as refused:
            await budgets.spend(CLIENT, BUDGET, 30)
        assert 28 <= refused.value.retry_after_seconds <= 30
        with pytest.raises(BudgetExceeded):
            budgets.require_any(CLIENT, 1)


async def test_it_refills_steadily_and_no_higher_than_its_rim(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with process(redis) as budgets:
        await budgets.spend(CLIENT, BUDGET, BUDGET)
        pass_seconds(redis, budgets, 30, monkeypatch)
        await budgets.spend(CLIENT, BUDGET, 30)
        with pytest.raises(BudgetExceeded):
            await budgets.spend(CLIENT, BUDGET, 5)
        pass_seconds(redis, budgets, 10_000, monkeypatch)
        await budgets.spend(CLIENT, BUDGET, BUDGET)
        with pytest.raises(BudgetExceeded):
            await budgets.spend(CLIENT, BUDGET, 5)


async def test_what_is_told_is_what_all_have_left(redis: RedisServer) -> None:
    async with process(redis) as one, process(redis) as other:
        await one.spend(CLIENT, 90, 50)
        await other.spend(CLIENT, 90, 10)
        assert other.told(CLIENT, 90) == {"limit": 90, "remaining": 30, "refillsPerSecond": 1.5}
        assert other.told("another", 90) == {"limit": 90, "remaining": 90, "refillsPerSecond": 1.5}


async def test_a_refusal_takes_nothing(redis: RedisServer) -> None:
    async with process(redis) as one, process(redis) as other:
        await one.spend(CLIENT, BUDGET, 40)
        with pytest.raises(BudgetExceeded):
            await other.spend(CLIENT, BUDGET, 50)
        await other.spend(CLIENT, BUDGET, 15)


async def test_clients_have_a_bucket_each_and_no_limit_asks_nobody(redis: RedisServer) -> None:
    async with process(redis) as budgets:
        await budgets.spend(CLIENT, BUDGET, BUDGET)
        await budgets.spend("another", BUDGET, BUDGET)
        redis.kill()
        await budgets.spend(CLIENT, 0, 10**9)
        budgets.require_any(CLIENT, 0)
        assert budgets.told(CLIENT, 0) is None


async def test_a_bucket_is_forgotten_when_it_is_full_again(redis: RedisServer) -> None:
    async with process(redis) as budgets:
        await budgets.spend(CLIENT, BUDGET, 1)
        with redis.administrator() as client:
            assert set(client.scan_iter()) == {KEY_PREFIX + CLIENT, redis_budgets._CHECKED}
            assert 60_000 < client.pttl(KEY_PREFIX + CLIENT) <= 61_000
            # What is kept of a client: its id, a number of points and a time.
            assert set(client.hgetall(KEY_PREFIX + CLIENT)) == {"points", "filled_at"}


async def test_a_clock_that_goes_back_gives_nothing(redis: RedisServer) -> None:
    frozen(redis, 10)
    async with process(redis) as budgets:
        await budgets.spend(CLIENT, BUDGET, 10)
        with pytest.raises(BudgetExceeded):
            await budgets.spend(CLIENT, BUDGET, 2)


async def test_postgresql_keeps_the_budget_while_redis_is_away(
    redis: RedisServer, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with process(redis, pool) as budgets:
        await budgets.spend("another", BUDGET, BUDGET)
        redis.kill()
        with capture_logs() as logs:
            # It is lost at the first call, in the middle of a client's day, and nobody is refused for it.
            await budgets.spend(CLIENT, BUDGET, 20)
            assert budgets.told(CLIENT, BUDGET) == {"limit": 60, "remaining": 40, "refillsPerSecond": 1}
            # No open door either: what PostgreSQL holds is all that there is.
            await budgets.spend(CLIENT, BUDGET, 40)
            with pytest.raises(BudgetExceeded):
                await budgets.spend(CLIENT, BUDGET, 30)
            with pytest.raises(BudgetExceeded):
                budgets.require_any(CLIENT, BUDGET)
            assert not await budgets.check()
        assert [entry["log_level"] for entry in logs] == ["warning"]
        assert redis.password not in str(logs)
        assert budgets._failures._value.get() == 1

        redis.start()
        # Not yet: one try a second.
        assert not await budgets.check()
        clock = budgets._clock
        monkeypatch.setattr(budgets, "_clock", lambda: clock() + redis_budgets.RETRY_SECONDS)
        with capture_logs() as logs:
            await budgets.spend(CLIENT, BUDGET, 50)
        assert [entry["event"] for entry in logs] == ["budgets are in Redis again"]
        assert budgets.told(CLIENT, BUDGET) == {"limit": 60, "remaining": 10, "refillsPerSecond": 1}
        # The Redis that came back is empty, and what was seen in the one before is no reason to refuse.
        await budgets.spend("another", BUDGET, BUDGET)


async def test_a_process_starts_without_redis_and_finds_it(
    redis: RedisServer, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.kill()
    async with process(redis, pool) as budgets:
        await budgets.spend(CLIENT, BUDGET, 10)
        redis.start()
        monkeypatch.setattr(redis_budgets, "RETRY_SECONDS", 0)
        budgets._try_at = 0.0
        assert await budgets.check()
        await budgets.spend(CLIENT, BUDGET, 1)
        assert budgets.told(CLIENT, BUDGET) == {"limit": 60, "remaining": 59, "refillsPerSecond": 1}


async def test_more_requests_than_connections_are_no_outage(redis: RedisServer) -> None:
    async def spend_often(budgets: RedisBudgets) -> None:
        for _ in range(40):
            await budgets.spend(CLIENT, 60_000_000, 1)

    async with process(redis) as budgets:
        await asyncio.gather(*(spend_often(budgets) for _ in range(5 * redis_budgets.MAX_CONNECTIONS)))
        with redis.administrator() as client:
            connected = [entry for entry in client.client_list() if entry["user"] == "gateway"]
        assert len(connected) == redis_budgets.MAX_CONNECTIONS


async def test_a_redis_that_hangs_is_away(redis: RedisServer, pool: asyncpg.Pool) -> None:
    async with process(redis, pool) as budgets:
        with redis.administrator() as client:
            client.client_pause(int(TIMEOUT_SECONDS * 1500))
            await asyncio.gather(*(budgets.spend(CLIENT, BUDGET, 1) for _ in range(30)))
            assert budgets._is_away
            assert await pool.fetchval("SELECT count(*) FROM client_budgets") == 1


async def test_over_tls_a_redis_shows_a_certificate_that_is_trusted_and_names_it(redis: RedisServer) -> None:
    trusting = f"{redis.tls_url}?ssl_ca_certs={redis.tls_certificate}"
    for url, is_there in (
        (trusting, True),
        (redis.tls_url, False),
        # The same server by a name that its certificate lacks.
        (trusting.replace("127.0.0.1", "localhost"), False),
    ):
        async with budgets_in_redis(
            url, Budgets(None), Counter("failures", "", registry=None), timeout_seconds=TIMEOUT_SECONDS
        ) as budgets:
            assert budgets._is_away is not is_there


async def test_a_redis_that_refuses_is_away(redis: RedisServer, pool: asyncpg.Pool) -> None:
    with redis.administrator() as client:
        client.execute_command("ACL", "SETUSER", "gateway", "-evalsha")
        try:
            async with process(redis, pool) as budgets:
                await budgets.spend(CLIENT, BUDGET, 1)
                assert budgets._is_away
        finally:
            client.execute_command("ACL", "SETUSER", "gateway", "+evalsha")


async def test_an_answer_that_nobody_waited_for_is_nobodys(redis: RedisServer) -> None:
    async with process(redis) as budgets:
        with redis.administrator() as client:
            client.client_pause(50)
            given_up = asyncio.create_task(budgets.spend("another", BUDGET, 7))
            await asyncio.sleep(0.01)
            given_up.cancel()
            await asyncio.gather(given_up, return_exceptions=True)
        await asyncio.sleep(0.05)
        await budgets.spend(CLIENT, BUDGET, 1)
        assert budgets.told(CLIENT, BUDGET) == {"limit": 60, "remaining": 59, "refillsPerSecond": 1}


async def test_what_was_seen_is_kept_of_so_many_clients(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_budgets, "MAX_CLIENTS", 2)
    async with process(redis) as budgets:
        for client in ("a", "b", "a", "c"):
            await budgets.spend(client, BUDGET, 1)
        assert list(budgets._seen) == ["a", "c"]
