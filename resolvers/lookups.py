"""Against fishing for people: look-ups that find nobody are counted, slowed down, and at last locked.

Counted for each client and number, for each client over all numbers, and for each number over all clients, in
PostgreSQL, for all processes together (migrations/0011_privacy.sql). A number is there by its blind index.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
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

    def begun(self, client_id: str, number: bytes, name: bytes) -> bool:
        """Begin a look-up, unless the client is trying another name for the number: `begin` waits for that.

        So it tries one name for a number at a time: of many at once, each has to be counted first. Look-ups of the
        same name pass together. Number and name are blind indexes.
        """
        under_way = self._under_way.get((client_id, number))
        if under_way is None:
            under_way = self._under_way[client_id, number] = _UnderWay(name)
        elif under_way.name != name:
            return False
        under_way.count += 1
        return True

    async def begin(self, client_id: str, number: bytes, name: bytes) -> None:
        """Begin a look-up when the client tries no other name for the number."""
        while not self.begun(client_id, number, name):
            await self._under_way[client_id, number].wait()

    def end(self, client_id: str, number: bytes) -> None:
        """End a look-up, and let the next one go on."""
        under_way = self._under_way[client_id, number]
        under_way.count -= 1
        if under_way.count == 0:
            del self._under_way[client_id, number]
            under_way.end()

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


class _UnderWay:
    """Look-ups of one client, number and name: how many there are, and their end."""

    __slots__ = ("_ended", "count", "name")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.count = 0
        self._ended: asyncio.Event | None = None

    async def wait(self) -> None:
        """Wait for the end of the last."""
        # Made for the first who waits: nearly all look-ups are alone.
        self._ended = self._ended or asyncio.Event()
        await self._ended.wait()

    def end(self) -> None:
        """Let all who wait go on."""
        if self._ended is not None:
            self._ended.set()


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
