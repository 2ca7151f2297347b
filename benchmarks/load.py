"""The load: keeps a number of connections busy over raw sockets, for some seconds, and times each answer.

On uvloop, one request takes some 25 µs of its core: it is not the bottleneck, and `make bench` measures that as well.
"""

import asyncio
import gc
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvloop

from benchmarks.cores import cpu_seconds

HOST = "127.0.0.1"
#: What the connections may still wait for when the time is over.
DRAIN_SECONDS = 10.0
#: Of a run's time: to read what processor time was used takes milliseconds, in which nothing is sent.
SETTLING_SHARE = 0.1


class BadAnswer(Exception):
    """A server answered something else than the workload expects: its rate would mean nothing."""


class UsedUp(Exception):
    """There are no more requests to send: the rows that they use up were too few."""


@dataclass(frozen=True, slots=True)
class Load:
    """What to send: whole HTTP requests, and what each answer has in it. `rate`: requests a second, else all it can."""

    requests: Iterator[bytes]
    marker: bytes
    connections: int
    seconds: float
    warm_seconds: float
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: requests a second, milliseconds, and microseconds of a processor for each request.

    `cpu` is the server's, `postgres` PostgreSQL's; None where nobody tells.
    """

    rate: float
    p50: float
    p99: float
    cpu: float | None
    postgres: float | None = None


class _Run:
    """What the connections of one run share."""

    def __init__(self, load: Load) -> None:
        self.load = load
        #: While it counts: how many answers, and the seconds of those that were due since `timed_from`.
        self.answers = 0
        self.taken: list[float] = []
        self.timed_from = math.inf
        self.next_at = time.perf_counter()
        self.counting = self.over = False
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, error: Exception) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)

    def answered(self, due: float) -> None:
        """Count the answer to what was due then."""
        if self.counting:
            self.answers += 1
            if due >= self.timed_from:
                self.taken.append(time.perf_counter() - due)

    def due(self) -> float:
        """Return when the next request is to go out: at an even pace, whatever the answers take."""
        assert self.load.rate is not None
        due = self.next_at
        self.next_at += 1 / self.load.rate
        return due


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self._run = run
        self._received = bytearray()
        self._due = 0.0
        self._awaiting = False
        self.idle = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._awaiting:
            self._run.fail(BadAnswer("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(received[:end]).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(received) < end + 4 + length:
            return
        if not head.startswith(b"http/1.1 200") or self._run.load.marker not in received or b'"errors"' in received:
            self._run.fail(BadAnswer(bytes(received[:1000]).decode(errors="replace")))
            return
        received.clear()
        self._awaiting = False
        self._run.answered(self._due)
        self._next()

    def _next(self) -> None:
        if self._run.over:
            self._transport.close()
            if not self.idle.done():
                self.idle.set_result(None)
            return
        if self._run.load.rate is None:
            self._send(time.perf_counter())
            return
        due = self._run.due()
        asyncio.get_running_loop().call_later(max(0.0, due - time.perf_counter()), self._send, due)

    def _send(self, due: float) -> None:
        """Send; the answer is timed from when the request was due."""
        self._due = due
        request = next(self._run.load.requests, None)
        if request is None:
            self._run.fail(UsedUp("no more requests"))
            return
        self._awaiting = True
        self._transport.write(request)  # type: ignore[attr-defined]


async def _drive(port: int, load: Load, pid: int | None, postgres_pid: int | None) -> Measured:
    loop = asyncio.get_running_loop()
    run = _Run(load)
    made = [await loop.create_connection(lambda: _Connection(run), HOST, port) for _ in range(load.connections)]
    try:
        await _wait(run, load.warm_seconds)
        before = cpu_seconds(pid), cpu_seconds(postgres_pid)
        began, run.counting = time.perf_counter(), True
        run.timed_from = began + SETTLING_SHARE * load.seconds
        await _wait(run, load.seconds)
        elapsed, run.counting, run.over = time.perf_counter() - began, False, True
        after = cpu_seconds(pid), cpu_seconds(postgres_pid)
        idle: asyncio.Future[Any] = asyncio.gather(*(connection.idle for _, connection in made))
        await asyncio.wait([idle, run.failed], timeout=DRAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if run.failed.done():
            run.failed.result()
    finally:
        for transport, _ in made:
            transport.abort()
    taken = sorted(run.taken)
    if not taken:
        raise BadAnswer("no answer in time")
    cpu, postgres = (
        None if begun is None or ended is None else (ended - begun) / run.answers * 1e6
        for begun, ended in zip(before, after, strict=True)
    )
    return Measured(run.answers / elapsed, _percentile(taken, 50), _percentile(taken, 99), cpu, postgres)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Collect no garbage meanwhile: it would be told as a server's tail."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _wait(run: _Run, seconds: float) -> None:
    await asyncio.wait([run.failed], timeout=seconds)
    if run.failed.done():
        run.failed.result()


def _percentile(taken: list[float], percent: int) -> float:
    return taken[min(len(taken) - 1, len(taken) * percent // 100)] * 1000


def drive(port: int, load: Load, pid: int | None = None, postgres_pid: int | None = None) -> Measured:
    """Put the load on a server of this machine. `pid`: whose processor time to count. Raises BadAnswer, UsedUp."""
    with _without_collector(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_drive(port, load, pid, postgres_pid))
