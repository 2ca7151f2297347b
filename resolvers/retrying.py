"""Trying again what failed as a whole because something else was faster."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

Result = TypeVar("Result")

#: A concurrent load or payment can make a statement fail with nothing changed; the next try sees what the
#: other one did. More than a few in a row is a fault and not a race.
MAX_TRIES = 4

_RACES = (
    asyncpg.ExclusionViolationError,
    asyncpg.UniqueViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)


async def retried(run: Callable[[], Awaitable[Result]]) -> Result:
    """Run a statement or a transaction until it does not lose a race. Raises what the last try raised."""
    for _ in range(MAX_TRIES - 1):
        try:
            return await run()
        except _RACES:
            continue
    return await run()
