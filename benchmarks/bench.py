"""One run of the benchmarks: who runs where, and in which order they are measured."""

import argparse
import os
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from benchmarks.cores import in_front
from benchmarks.ledger import Ledger
from benchmarks.load import Load, Measured, drive
from benchmarks.report import Rounds
from benchmarks.servers import Contender, Running, running
from benchmarks.workloads import MARKERS, SEED, Workloads

GATEWAY = "gateway"

#: More than can be asked for with a proof or a signature, each of which is made before the clock starts.
SIGNED_PER_SECOND = 6000
#: Into how many a run is cut where what is sought is less than what a busy machine changes from run to run.
SLICES = 3


class Bench:
    """One run: the rows, the core of the servers and what was asked for on the command line."""

    def __init__(
        self,
        options: argparse.Namespace,
        ledger: Ledger,
        directory: Path,
        core: set[int] | None,
        postgres_pid: int | None = None,
    ) -> None:
        self.ledger = ledger
        self.workloads = Workloads(ledger)
        self._directory = directory
        self._core = core
        self._postgres_pid = postgres_pid
        self._seconds: float = options.seconds
        self._warm_seconds: float = options.warm_seconds
        self._connections: int = options.connections
        self._rounds: int = options.rounds
        # The same order in each run: nobody has the first place.
        self._random = random.Random(SEED)  # noqa: S311 -- an order, and no secret

    def words(self) -> str:
        """Say how this run measures."""
        core = "no core of its own" if self._core is None else "a core of its own"
        return (
            f"{len(self.ledger.readers):,} payers, {self._connections} connections, {self._rounds} rounds of "
            f"{self._seconds:g} s; the server had {core}."
        )

    def start(self, stack: ExitStack, *contenders: Contender) -> list[Running]:
        """Start these, each until the stack is left."""
        log = self._directory / "servers.log"
        return [stack.enter_context(running(one, self.ledger, log, self._core)) for one in contenders]

    def measure(self, server: Running, workload: str, requests: Iterator[bytes], rate: float | None = None) -> Measured:
        """Put the load on one server."""
        load = Load(requests, MARKERS[workload], self._connections, self._seconds, self._warm_seconds, rate)
        return drive(server.port, load, server.pid, self._postgres_pid)

    def plain(self, server: Running, workload: str, rate: float | None = None) -> Callable[[], Measured]:
        """Return a run of the workload as it is."""
        return lambda: self.measure(server, workload, self.workloads.requests(workload, server.dialect()), rate)

    def in_front(self, server: Running) -> AbstractContextManager[bool]:
        """Let a server, PostgreSQL and the load run before the machine's other programs; yield whether they may."""
        postgres = () if self._postgres_pid is None else (self._postgres_pid,)
        return in_front(os.getpid(), server.pid, *postgres)

    def slice(self) -> None:
        """From here on, make shorter runs in more rounds: of two that differ by little, each soon after the other."""
        self._seconds /= SLICES
        self._warm_seconds /= SLICES
        self._rounds *= SLICES

    def signed_count(self) -> int:
        """Return how many signed requests one run may send."""
        return round(SIGNED_PER_SECOND * (self._seconds + self._warm_seconds)) + self._connections

    def rounds(self, runs: dict[str, Callable[[], Measured]]) -> dict[str, Rounds]:
        """Run each of these once in each round, every time in another order."""
        measured: dict[str, list[Measured]] = {name: [] for name in runs}
        for _ in range(self._rounds):
            order = list(runs)
            self._random.shuffle(order)
            for name in order:
                measured[name].append(runs[name]())
        return {name: Rounds(taken) for name, taken in measured.items()}
