"""Load shedding: how many operations one process has under way, and who waits or is sent away."""

import asyncio

#: Operations that may wait for each one under way. Statements take milliseconds, so a whole queue is served within
#: a fraction of a second; where it is not, the ones behind it are better off at another server.
QUEUE_FACTOR = 4
#: Shorter than any bank's timeout: a caller learns that nothing has run while it still listens.
QUEUE_TIMEOUT_SECONDS = 2.0
#: What a caller that was sent away is told to wait: about as long as a queue lives.
RETRY_AFTER_SECONDS = 1


class Overloaded(Exception):
    """There is no place for another operation; nothing of it has run."""


class Admission:
    """Lets `max_operations` through at once, QUEUE_FACTOR times as many wait for their turn, and no more."""

    def __init__(self, max_operations: int, *, queue_timeout_seconds: float = QUEUE_TIMEOUT_SECONDS) -> None:
        self._places = asyncio.Semaphore(max_operations)
        self._max_waiting = QUEUE_FACTOR * max_operations
        self._queue_timeout_seconds = queue_timeout_seconds
        self._waiting = 0

    async def __aenter__(self) -> None:
        """Take a place, for as long as an operation is under way.

        Raises Overloaded when the queue is full, or the turn did not come within the queue's timeout.
        """
        if self._places.locked():
            await self._wait()
        else:
            # Free at once: this does not give way to another task.
            await self._places.acquire()

    async def __aexit__(self, *_: object) -> None:
        """Leave it to the next one."""
        self._places.release()

    async def _wait(self) -> None:
        if self._waiting >= self._max_waiting:
            raise Overloaded
        self._waiting += 1
        try:
            async with asyncio.timeout(self._queue_timeout_seconds):
                await self._places.acquire()
        except TimeoutError:
            raise Overloaded from None
        finally:
            self._waiting -= 1
