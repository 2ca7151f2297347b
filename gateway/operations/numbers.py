"""The numbers of the operator's page: those of /metrics, by the same counters and queries, and the day's overview.

What the counters of a server hold is that server's, of all its workers together, since it began; what the database
holds is everybody's.
"""

import asyncio
import datetime
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import asyncpg
from prometheus_client import CollectorRegistry

from gateway.outbox.postings import Backlog, backlog
from resolvers.overview import Overview, overview

#: How long numbers are shown again: a day's payments are counted once for all who look.
REMEMBER_SECONDS: Final = 10.0
#: The paths whose answers are told, as a bank's day has them.
PATHS: Final = ("/graphql", "/oauth/token", "/receipts/{number}.pdf", "/settlements/{date}", "/verify")
#: What an answer takes at the most to be called prompt; one of the histogram's own bounds.
PROMPT_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class PathHealth:
    """The answers of one path: all, those that refused (4xx), those that failed (5xx), the share of prompt ones."""

    path: str
    answered: int
    refused: int
    failed: int
    prompt_share: float | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What this server has counted since it began."""

    paths: tuple[PathHealth, ...]
    lookup_failures: int
    numbers_locked: int
    clients_locked: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """All that the page shows, and when it was so. `read_seconds`: how long the database took to tell."""

    taken_at: datetime.datetime
    business_date: datetime.date
    overview: Overview
    postings: Backlog
    counts: Counts
    read_seconds: float


class NumberReader:
    """Reads the numbers for one process, no more often than every REMEMBER_SECONDS."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        registry: CollectorRegistry,
        today: Callable[[], datetime.date],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._registry = registry
        self._today = today
        self._clock = clock
        self._lock = asyncio.Lock()
        self._remembered: tuple[float, Numbers] | None = None

    async def read(self) -> Numbers:
        """Return the numbers. Raises as asyncpg does."""
        async with self._lock:
            if self._remembered is not None and self._clock() < self._remembered[0] + REMEMBER_SECONDS:
                return self._remembered[1]
            begun = self._clock()
            business_date = self._today()
            told = await overview(self._pool, business_date)
            postings = await backlog(self._pool)
            numbers = Numbers(
                datetime.datetime.now(datetime.UTC),
                business_date,
                told,
                postings,
                counts(self._registry),
                self._clock() - begun,
            )
            self._remembered = (self._clock(), numbers)
            return numbers


def counts(registry: CollectorRegistry) -> Counts:
    """Read the counters that /metrics shows."""
    answered: Counter[tuple[str, str]] = Counter()
    timed: Counter[str] = Counter()
    prompt: Counter[str] = Counter()
    locked: Counter[str] = Counter()
    lookup_failures = 0
    for family in registry.collect():
        for sample in family.samples:
            match sample.name:
                case "gateway_http_requests_total":
                    answered[sample.labels["path"], sample.labels["status"][0]] += int(sample.value)
                case "gateway_http_request_seconds_count":
                    timed[sample.labels["path"]] += int(sample.value)
                case "gateway_http_request_seconds_bucket" if float(sample.labels["le"]) == PROMPT_SECONDS:
                    prompt[sample.labels["path"]] += int(sample.value)
                case "gateway_lookup_failures_total":
                    lookup_failures += int(sample.value)
                case "gateway_lookups_locked_total":
                    locked[sample.labels["of"]] += int(sample.value)
    return Counts(
        tuple(_health(path, answered, timed[path], prompt[path]) for path in PATHS),
        lookup_failures,
        locked["NUMBER"],
        locked["CLIENT"],
    )


def _health(path: str, answered: Counter[tuple[str, str]], timed: int, prompt: int) -> PathHealth:
    kinds = Counter({kind: count for (of, kind), count in answered.items() if of == path})
    return PathHealth(path, kinds.total(), kinds["4"], kinds["5"], prompt / timed if timed else None)
