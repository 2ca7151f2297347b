"""Budgets: a token bucket for each client, shared by all processes.

Here the bucket is a row in PostgreSQL. A process takes a share of it, a second's refill at the least, spends that
without asking, and asks for another. What a client spends in any time is at the most its bucket, the refill, and a
second's refill for each process that holds a share; of a share that nobody spends, as much lies idle.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import asyncpg

#: A bucket holds what refills in so long.
BUCKET_SECONDS = 60
#: How much of the refill a share is: of a budget of any size, a process asks once a second.
SHARE_SECONDS = 1
#: Clients that one process keeps a share for; of the least used one the share is lost.
MAX_CLIENTS = 10_000

#: $1 client, $2 bucket, $3 what must be had at the least, $4 what is wanted.
TAKE_SHARE = """
    INSERT INTO client_budgets AS b (client_id, points, share, filled_at)
    VALUES ($1, $2::double precision - least($2, $4), least($2, $4::double precision), clock_timestamp())
    ON CONFLICT (client_id) DO UPDATE SET (points, share, filled_at) = (
        SELECT f.points - s.share, s.share, f.at
        FROM (
            SELECT
                clock_timestamp() AS at,
                least(
                    $2,
                    b.points + greatest(0, extract(EPOCH FROM clock_timestamp() - b.filled_at)) * $2 / 60
                ) AS points
        ) AS f
        CROSS JOIN LATERAL (
            SELECT CASE WHEN f.points >= $3::double precision THEN least($4, f.points) ELSE 0 END AS share
        ) AS s
    )
    RETURNING points, share
"""


class BudgetExceeded(Exception):
    """The budget is used up, and nothing was spent."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds


class ClientBudgets(Protocol):
    """Where a client's budget is kept: in PostgreSQL (`Budgets`), or in Redis (`gateway.redis_budgets`)."""

    def require_any(self, client_id: str, budget: int) -> None:
        """Raise BudgetExceeded where not a point can be left; `budget` is in points a minute, 0 for no limit."""

    def spent_at_once(self, client_id: str, budget: int, points: int) -> bool:
        """Spend points of what this process holds; return False, with nothing spent, where `spend` has to ask."""

    async def spend(self, client_id: str, budget: int, points: int) -> None:
        """Spend points, at most a bucket. Raises BudgetExceeded, or as asyncpg does when PostgreSQL can't be asked."""

    def told(self, client_id: str, budget: int) -> dict[str, Any] | None:
        """Return a client's budget as it is told; None where there is no limit."""


def told(budget: int, left: float) -> dict[str, Any]:
    """Return a budget of points a minute as it is told, with what is left of its bucket."""
    return {
        "limit": budget,
        "remaining": math.floor(left) if left < budget else budget,
        "refillsPerSecond": _refill(budget),
    }


@lru_cache(maxsize=256)  # budgets are set for a client, and most have the one that is for all
def _refill(budget: int) -> float:
    refill = budget / BUCKET_SECONDS
    return int(refill) if refill.is_integer() else round(refill, 3)


@dataclass(slots=True)
class _Bucket:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    share: float = 0.0
    #: What PostgreSQL had left when it was last asked; others may have taken of it since.
    left: float = math.inf
    asked_at: float = 0.0


class Budgets:
    """The shares of one process. `clock` tells seconds that never go back."""

    def __init__(self, pool: asyncpg.Pool, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def require_any(self, client_id: str, budget: int) -> None:
        """Raise BudgetExceeded where not a point can be left; `budget` is in points a minute, 0 for no limit."""
        bucket = self._buckets.get(client_id)
        if budget and bucket is not None and bucket.share < 1:
            self._require(bucket, budget, 1)

    def spent_at_once(self, client_id: str, budget: int, points: int) -> bool:
        """Spend points of the share; return False, with nothing spent, where it is too small."""
        if not budget:
            return True
        bucket = self._bucket(client_id)
        if bucket.share < points:
            return False
        bucket.share -= points
        return True

    async def spend(self, client_id: str, budget: int, points: int) -> None:
        """Spend points, at most a bucket. Raises BudgetExceeded, or as asyncpg does when PostgreSQL can't be asked."""
        if not budget:
            return
        bucket = self._bucket(client_id)
        if bucket.share < points:
            async with bucket.lock:
                # Whoever had the lock before may have taken a share for all who waited.
                if bucket.share < points:
                    self._require(bucket, budget, points)
                    await self._take(bucket, client_id, budget, points - bucket.share)
                    self._require(bucket, budget, points, from_share=True)
        bucket.share -= points

    def told(self, client_id: str, budget: int) -> dict[str, Any] | None:
        """Return a client's budget as it is told; None where there is no limit."""
        if not budget:
            return None
        bucket = self._buckets.get(client_id) or self._bucket(client_id)
        return told(budget, bucket.share + self._left(bucket, budget))

    def _bucket(self, client_id: str) -> _Bucket:
        bucket = self._buckets.get(client_id)
        if bucket is None:
            bucket = self._buckets[client_id] = _Bucket()
            if len(self._buckets) > MAX_CLIENTS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(client_id)
        return bucket

    def _left(self, bucket: _Bucket, budget: int) -> float:
        """Return the most that can be left in PostgreSQL."""
        left = bucket.left + (self._clock() - bucket.asked_at) * budget / BUCKET_SECONDS
        return left if left < budget else budget

    def _require(self, bucket: _Bucket, budget: int, points: int, *, from_share: bool = False) -> None:
        lacking = points - bucket.share - (0 if from_share else self._left(bucket, budget))
        if lacking > 0:
            missing = points - bucket.share - self._left(bucket, budget)
            raise BudgetExceeded(max(1, math.ceil(missing * BUCKET_SECONDS / budget)))

    async def _take(self, bucket: _Bucket, client_id: str, budget: int, lacking: float) -> None:
        wanted = max(lacking, SHARE_SECONDS * budget / BUCKET_SECONDS)
        row = await self._pool.fetchrow(TAKE_SHARE, client_id, float(budget), float(lacking), float(wanted))
        bucket.share += row["share"]
        bucket.left, bucket.asked_at = row["points"], self._clock()
