"""Throttles for what strangers may ask: so many at once, and as many again in a minute, for each key.

The counts are one process's own: of several workers or servers each allows as much. That is enough against guessing,
which needs billions of tries, and costs PostgreSQL nothing.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

#: Keys that one process remembers, some 2 MB; of the least used one the count is lost.
MAX_KEYS: Final = 10_000


class Throttled(Exception):
    """The key has used up what it may ask for."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds


class Throttle:
    """Allows `per_minute` at once and then one each 60 / per_minute seconds (GCRA, the generic cell rate algorithm).

    `clock` tells seconds that never go back.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_seconds = 60 / per_minute
        self._tolerance_seconds = 60 - self._interval_seconds
        self._clock = clock
        #: When each key would have asked for all that it has, had it asked evenly; the least used first.
        self._due: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str) -> None:
        """Count one. Raises Throttled, and counts nothing then."""
        now = self._clock()
        due = max(self._due.pop(key, now), now)
        ahead_seconds = due - now - self._tolerance_seconds
        # Sums of fractions of a second are not exact.
        allowed = ahead_seconds < 1e-6
        self._due[key] = due + self._interval_seconds if allowed else due
        if len(self._due) > MAX_KEYS:
            self._due.popitem(last=False)
        if not allowed:
            raise Throttled(math.ceil(ahead_seconds))

    def give_back(self, key: str) -> None:
        """Count one less: what was taken turned out to be nothing that is throttled."""
        if key in self._due:
            self._due[key] -= self._interval_seconds
