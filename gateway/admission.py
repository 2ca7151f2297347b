"""Load shedding: how many operations one process has under way, and who waits or is sent away."""

import asyncio
from collections import deque

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
        #: Places that nobody has; there are none while anybody waits.
        self._free = max_operations
        self._max_waiting = QUEUE_FACTOR * max_operations
        self._queue_timeout_seconds = queue_timeout_seconds
        self._turns: deque[asyncio.Future[None]] = deque()

    def entered(self) -> bool:
        """Take a place, for as long as an operation is under way, if there is one. Where there is none, `wait`."""
        if self._free:
            self._free -= 1
            return True
        return False

    async def wait(self) -> None:
        """Take a place when it is one's turn.

        Raises Overloaded when the queue is full, or the turn did not come within the queue's timeout.
        """
        if len(self._turns) >= self._max_waiting:
            raise Overloaded
        turn = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            async with asyncio.timeout(self._queue_timeout_seconds):
                await turn
        except BaseException as error:
            if turn in self._turns:
                self._turns.remove(turn)
            elif not turn.cancelled():
                # The place came just then.
                self.leave()
            if isinstance(error, TimeoutError):
                raise Overloaded from None
            raise

    def leave(self) -> None:
        """Leave the place to whoever has waited longest."""
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    async def __aenter__(self) -> None:
        """Take a place, at once or in turn. Raises Overloaded."""
        if not self.entered():
            await self.wait()

    async def __aexit__(self, *_: object) -> None:
        """Leave it to the next one."""
        self.leave()
