"""Processes that read pieces of a file side by side: sealing a million identities takes one core ten seconds.

They are programs of their own and no forks: a fork would take the connection, the loop and the progress bar's thread
with it. What they need goes through their standard input, the keys first, and they end when it does, so that none
outlives a load that was killed.
"""

import asyncio
import os
import pickle
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from database.loading.pieces import PIECE_BYTES, Piece
from database.loading.reading import Staged
from database.vault import VaultKeys

# More would wait for PostgreSQL, which takes rows in on one core at some six times what one reader gives it.
MAX_READERS: Final = 4
# Below, the processes would take longer to start than they save.
BESIDE_FROM_BYTES: Final = 8 * 1024 * 1024
# A reader that has answered all that it was asked ends at once when its input does.
END_TIMEOUT_SECONDS: Final = 10
#: Before each message: its length in bytes.
LENGTH_BYTES: Final = 4
# Pieces under way for each reader: one is read, one waits.
_AHEAD: Final = 2


@dataclass(frozen=True, slots=True)
class Order:
    """The first message to a reader: the kind of file (kinds.Kind.name), and what its rows are sealed with."""

    kind: str
    keys: VaultKeys


@dataclass(frozen=True, slots=True)
class Failed:
    """A reader's last message: an error that is no row's. It has no message of the error, which may hold a row."""

    error: str
    frames: str


class ReaderFailed(RuntimeError):
    """A reading process ended, or met an error of ours; nothing was loaded."""


def readers_for(size_bytes: int) -> int:
    """Return how many processes should read a file of that size; 0 when this one should."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MAX_READERS) if cores > 1 and size_bytes >= BESIDE_FROM_BYTES else 0


@asynccontextmanager
async def readers(count: int, order: Order) -> AsyncIterator["Readers"]:
    """Start so many processes, and end them with the block."""
    processes: list[asyncio.subprocess.Process] = []
    try:
        for _ in range(count):
            processes.append(await _start())
        every = Readers([_Reader(process) for process in processes])
        await every.begin(order)
        try:
            yield every
        finally:
            await every.cancel()
    finally:
        for process in processes:
            await _end(process)


class Readers:
    """Processes that read. Made by `readers`."""

    def __init__(self, every: list["_Reader"]) -> None:
        self._every = every
        self._idle: asyncio.Queue[_Reader] = asyncio.Queue()
        self._under_way: deque[asyncio.Task[Staged]] = deque()

    async def begin(self, order: Order) -> None:
        """Tell them what they read."""
        for reader in self._every:
            await reader.send(order)
            self._idle.put_nowait(reader)

    async def read(self, pieces: Iterable[Piece]) -> AsyncIterator[Staged]:
        """Yield what comes of the pieces, in their order. Raises ReaderFailed."""
        for piece in pieces:
            if len(self._under_way) >= _AHEAD * len(self._every):
                yield await self._under_way.popleft()
            self._under_way.append(asyncio.create_task(self._read(piece)))
        while self._under_way:
            yield await self._under_way.popleft()

    async def cancel(self) -> None:
        """Give up what is under way."""
        for task in self._under_way:
            task.cancel()
        # Their errors are those of a load that has failed already.
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _read(self, piece: Piece) -> Staged:
        reader = await self._idle.get()
        staged = await reader.read(piece)
        self._idle.put_nowait(reader)
        return staged


class _Reader:
    """One process. It has one piece at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._to, self._from = process.stdin, process.stdout

    async def send(self, message: Order | Piece) -> None:
        content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        self._to.writelines((len(content).to_bytes(LENGTH_BYTES), content))
        await self._to.drain()

    async def read(self, piece: Piece) -> Staged:
        try:
            await self.send(piece)
            length = int.from_bytes(await self._from.readexactly(LENGTH_BYTES))
            # What our own program sends through its own pipe.
            answer: Staged | Failed = pickle.loads(await self._from.readexactly(length))  # noqa: S301
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ReaderFailed("a process that reads the file ended; nothing was loaded") from None
        if isinstance(answer, Failed):
            raise ReaderFailed(f"{answer.error} while the file was read; nothing was loaded\n{answer.frames}")
        return answer


async def _start() -> asyncio.subprocess.Process:
    root = str(Path(__file__).parents[2])
    # The settings are not its to know, the master key among them.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, environment.get("PYTHONPATH"))))
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "database.loading.reader",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
        limit=PIECE_BYTES * 4,
        # An interrupt at the terminal is for the load, which ends its readers.
        start_new_session=True,
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    cast("asyncio.StreamWriter", process.stdin).close()
    try:
        # An answer that nobody reads any more is read to its end.
        await asyncio.wait_for(process.communicate(), END_TIMEOUT_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
