"""Against fishing for people: look-ups that find nobody are counted, slowed down, and at last locked.

Counted for each client and number, for each client over all numbers, and for each number over all clients, in
PostgreSQL, for all processes together (migrations/0011_privacy.sql). A number is there by its blind index.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal

from database.pool import InstitutionPool

#: What of an allowance is free of any delay: a typing error or two are everybody's.
FREE_SHARE: Final = 0.5
#: Answers held back at once in one process. An answer that waits takes the place of an operation, and some are for
#: the others; one beyond goes out at once, and has been counted all the same.
MAX_HELD_BACK: Final = 10

#: NUMBER: one client is locked out of one number. CLIENT: out of all.
Locked = Literal["NUMBER", "CLIENT"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many look-ups may find nobody. Counts are forgotten after `window`, or after their lock.

    By `number`, how often one client may name one number in vain; a person whom a bank knows is found at the
    first or second try. By `everywhere`, how often all of them together may, before the next failure of each locks
    it out. By `client`, how many a client may in all: many people stand behind one, and some always mistype.
    """

    number: int = 20
    everywhere: int = 100
    client: int = 1000
    window: timedelta = timedelta(hours=1)
    lock: timedelta = timedelta(minutes=15)
    #: The longest that an answer is held back.
    delay: timedelta = timedelta(seconds=1)


class Lookups:
    """What one process keeps for its look-ups. `on_failure` hears of each, and of the lock that it led to."""

    def __init__(
        self, limits: Limits | None = None, on_failure: Callable[[str, Locked | None], None] | None = None
    ) -> None:
        self._limits = limits or Limits()
        self._on_failure = on_failure or (lambda client_id, locked: None)
        self._under_way: dict[tuple[str, bytes], _UnderWay] = {}
        self._held_back = 0

    @asynccontextmanager
    async def turn(self, client_id: str, number: bytes, name: bytes) -> AsyncIterator[None]:
        """Let a client try one name for a number at a time: of many at once, each has to be counted first.

        Look-ups of the same name pass together. The arguments are blind indexes.
        """
        key = (client_id, number)
        while (under_way := self._under_way.get(key)) is not None and under_way.name != name:
            await under_way.ended.wait()
        if under_way is None:
            under_way = self._under_way[key] = _UnderWay(name)
        under_way.count += 1
        try:
            yield
        finally:
            under_way.count -= 1
            if under_way.count == 0:
                del self._under_way[key]
                under_way.ended.set()

    async def failed(self, pool: InstitutionPool, client_id: str, number: bytes) -> float:
        """Count a look-up that found nobody, and return for how many seconds to hold its answer back."""
        limits = self._limits
        counted = await pool.fetchrow(
            """
            SELECT c.used, c.newly_locked FROM count_failed_lookup(
                $1, $2::bytea, $3::integer, $4::integer, $5::integer, $6::interval, $7::interval
            ) AS c
            """,
            client_id,
            number,
            limits.number,
            limits.everywhere,
            limits.client,
            limits.window,
            limits.lock,
        )
        assert counted is not None  # the function counts once
        used, newly_locked = counted
        self._on_failure(client_id, newly_locked)
        share: float = max(0.0, used - FREE_SHARE) / (1 - FREE_SHARE)
        return share * limits.delay.total_seconds()

    async def hold_back(self, seconds: float) -> None:
        """Wait, with no connection taken, unless too many do already."""
        if seconds <= 0 or self._held_back >= MAX_HELD_BACK:
            return
        self._held_back += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self._held_back -= 1


@dataclass(slots=True)
class _UnderWay:
    name: bytes
    count: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)


async def forget(pool: InstitutionPool, client_id: str, number: bytes) -> None:
    """Forget what a client got wrong about a number, since it has named the person.

    What it got wrong of other numbers stays, or one known person would be a way to try all others; and so does what
    others got wrong of this one.
    """
    await pool.execute(
        "DELETE FROM lookup_failures WHERE client_id = $1 AND resident_id_index = $2 AND client_id <> ''",
        client_id,
        number,
    )
