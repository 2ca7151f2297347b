"""Budgets in Redis: a token bucket for each client, in one place that every process spends from, exactly.

While Redis does not answer, each process spends from PostgreSQL's shares (`gateway.budgets`) and tries Redis again once
a second. Why a script of our own: docs/decisions/0016-budgets-in-redis.md.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from prometheus_client import Counter
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.budgets import BUCKET_SECONDS, MAX_CLIENTS, BudgetExceeded, Budgets, told

log = structlog.get_logger()

#: What a key begins with; the client's id follows.
KEY_PREFIX = "gateway:budget:"
#: While Redis is away, one request a second finds out whether it is back; all others lose no time by it.
RETRY_SECONDS = 1.0
#: Of one process: each is held for less than a millisecond, so ten carry more than a worker answers.
MAX_CONNECTIONS = 10

#: KEYS[1] the client's bucket; ARGV[1] what it holds at the most, ARGV[2] what is to be spent, ARGV[3] seconds in which
#: an empty one is full. Answers whether it was spent, and what is left. Redis's own clock counts, not a process's. A
#: bucket that nobody asks for is full by the time its key expires, which is what no key means.
SPEND = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local most, points, seconds = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'points', 'filled_at')
local left = most
if kept[1] and kept[2] then
    left = math.min(most, kept[1] + math.max(0, now - kept[2]) * most / seconds)
end
local spent = 0
if left >= points then
    left = left - points
    spent = 1
end
local told = string.format('%.17g', left)
redis.call('HSET', KEYS[1], 'points', told, 'filled_at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], seconds * 1000 + 1000)
return {spent, told}
"""

#: A bucket that is nobody's: no client's id has a colon.
_CHECKED = f"{KEY_PREFIX}:check"


class RedisBudgets:
    """The budgets of one process in Redis, and in `shares` while that is away. `failures` counts the calls that failed.

    `clock` tells seconds that never go back.
    """

    def __init__(
        self,
        redis: Redis,
        shares: Budgets,
        failures: Counter,
        *,
        timeout_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._script = redis.register_script(SPEND)
        self._shares = shares
        self._failures = failures
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._connections = asyncio.Semaphore(MAX_CONNECTIONS)
        self._is_away = False
        self._try_at = 0.0
        #: What was left of a client's bucket, and when; others may have spent of it since.
        self._seen: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def require_any(self, client_id: str, budget: int) -> None:
        """Raise BudgetExceeded where not a point can be left; `budget` is in points a minute, 0 for no limit."""
        if self._is_away:
            self._shares.require_any(client_id, budget)
        elif budget:
            self._require(client_id, budget, 1)

    def spent_at_once(self, client_id: str, budget: int, points: int) -> bool:
        """Spend nothing: it is Redis that is asked each time. True where there is no limit."""
        return not budget

    async def spend(self, client_id: str, budget: int, points: int) -> None:
        """Spend points, at most a bucket. Raises BudgetExceeded; while Redis is away also what Budgets.spend does."""
        if not budget:
            return
        if not self._is_away:
            # A client that goes on after it was refused asks nobody but this process.
            self._require(client_id, budget, points)
        answer = await self._ask(KEY_PREFIX + client_id, budget, points)
        if answer is None:
            await self._shares.spend(client_id, budget, points)
            return
        spent, left = answer
        self._remember(client_id, left)
        if not spent:
            raise _exceeded(points - left, budget)

    def told(self, client_id: str, budget: int) -> dict[str, Any] | None:
        """Return a client's budget as it is told; None where there is no limit."""
        if self._is_away or not budget:
            return self._shares.told(client_id, budget)
        return told(budget, self._left(client_id, budget))

    async def check(self) -> bool:
        """Return whether budgets are in Redis, by doing there what a request does."""
        return await self._ask(_CHECKED, 1, 0) is not None

    async def _ask(self, key: str, budget: int, points: int) -> tuple[bool, float] | None:
        """Return whether it was spent and what is left; None while Redis is away."""
        # Who waits here has its turn, and the time that Redis has begins after it: a busy process is no outage.
        async with self._connections:
            finding_out = self._is_away
            if finding_out:
                if self._clock() < self._try_at:
                    return None
                self._try_at = self._clock() + RETRY_SECONDS
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    spent, left = await self._script(keys=[key], args=[budget, points, BUCKET_SECONDS])
            except (RedisError, OSError) as error:  # TimeoutError is an OSError
                self._lose(error)
                return None
            if finding_out and self._is_away:
                self._is_away = False
                # What was seen before tells nothing of a Redis that may have started empty.
                self._seen.clear()
                log.info("budgets are in Redis again")
        return bool(spent), float(left)

    def _lose(self, error: Exception) -> None:
        self._failures.inc()
        self._try_at = self._clock() + RETRY_SECONDS
        if not self._is_away:
            self._is_away = True
            # The kind alone: the message names the server, and may repeat what it was sent.
            log.warning("Redis does not answer: budgets are in PostgreSQL until it does", error=type(error).__name__)

    def _remember(self, client_id: str, left: float) -> None:
        self._seen[client_id] = left, self._clock()
        self._seen.move_to_end(client_id)
        if len(self._seen) > MAX_CLIENTS:
            self._seen.popitem(last=False)

    def _left(self, client_id: str, budget: int) -> float:
        """Return the most that can be left."""
        left, seen_at = self._seen.get(client_id, (math.inf, 0.0))
        return min(budget, left + (self._clock() - seen_at) * budget / BUCKET_SECONDS)

    def _require(self, client_id: str, budget: int, points: int) -> None:
        missing = points - self._left(client_id, budget)
        if missing > 0:
            raise _exceeded(missing, budget)


def _exceeded(missing: float, budget: int) -> BudgetExceeded:
    return BudgetExceeded(max(1, math.ceil(missing * BUCKET_SECONDS / budget)))


@asynccontextmanager
async def budgets_in_redis(
    url: str, shares: Budgets, failures: Counter, *, timeout_seconds: float
) -> AsyncIterator[RedisBudgets]:
    """Give the budgets of this process in the Redis at `url` (redis:// or rediss://), which may be away.

    A request that finds it away waits `timeout_seconds` once, then asks PostgreSQL.
    """
    pool = ConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        # Each call has its time as a whole, connecting included; a connection is given up with the call.
        socket_timeout=None,
        socket_connect_timeout=timeout_seconds,
        # What may have been spent is not sent again: PostgreSQL is asked instead.
        retry=Retry(NoBackoff(), 0),
        # Nothing more is asked of Redis than budgets need: what its rules must allow is in docs/operator.md.
        protocol=2,
        driver_info=None,
    )
    redis = Redis(connection_pool=pool)
    try:
        budgets = RedisBudgets(redis, shares, failures, timeout_seconds=timeout_seconds)
        await budgets.check()
        yield budgets
    finally:
        await redis.aclose()
        await pool.aclose()
