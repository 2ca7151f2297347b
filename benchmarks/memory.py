"""`make bench-memory`: what a worker's memory becomes over 100,000 requests of 10,000 different documents.

Each document is sent ten times, and then never again: a server that kept one for each would grow from the first to the
last. Prints the resident memory of the worker as it goes, and exits 1 if the second half of the requests adds more to
it than ALLOWED.
"""

import argparse
import asyncio
import contextlib
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from benchmarks import servers
from benchmarks.load import Load, UsedUp, drive
from benchmarks.population import Population, populate
from benchmarks.report import table, write
from benchmarks.servers import Running, running
from benchmarks.workloads import SEED, Dialect
from database.embedded import EmbeddedPostgres
from tests.databases import fresh_database

MARK = "make bench-memory"
PAYERS = 1000
CONNECTIONS = 32
TIMES_EACH = 10
#: A token lives for minutes: each stage has a new one.
STAGE_REQUESTS = 5000
#: No stage takes so long.
STAGE_SECONDS = 300.0
TOLD_EACH_REQUESTS = 10_000
#: Memory at the end to memory at half the requests: what the allocator leaves in pieces, and no more.
ALLOWED = 1.05

_PERIOD = ("insurance", "mode", "firstMonth", "lastMonth", "monthCount", "payBy")
_BILL = ("billNumber", "origin", "insurance", "firstMonth", "lastMonth", "monthCount", "amount", "payBy", "status")
_MODES = ("", "(mode: ARREARS)", "(mode: CURRENT_YEAR)")
_TREES = ("", "enrolments { firstMonth poolingArea { name } }", "receipts(first: 5) { edges { node { number } } }")
_VARIETIES = tuple(product(_MODES, _TREES, range(1, 1 << len(_PERIOD)), range(1, 1 << len(_BILL))))


def document(number: int) -> str:
    """Return the document of this number: others have another name, other aliases and mostly other fields."""
    # A step that has no divisor in common with how many there are goes through all of them.
    mode, tree, periods, bills = _VARIETIES[number * 7919 % len(_VARIETIES)]
    period = " ".join(name for bit, name in enumerate(_PERIOD) if periods >> bit & 1)
    bill = " ".join(f"b{number}_{name}: {name}" for bit, name in enumerate(_BILL) if bills >> bit & 1)
    return f"""query Document{number}($residentId: ResidentId!, $name: String!) {{
  payer(residentId: $residentId, name: $name) {{
    maskedName p{number}: payablePeriods{mode} {{ {period} }} {tree}
    assessedBills {{ edges {{ node {{ {bill} }} }} }}
  }}
}}"""


def main() -> int:
    """Measure, print, and write the page if asked to; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000, help=f"a multiple of {2 * TOLD_EACH_REQUESTS:,}")
    parser.add_argument("--write", type=Path, help="the page to put the table into")
    options = parser.parse_args()
    if options.requests < 1 or options.requests % (2 * TOLD_EACH_REQUESTS):
        parser.error(f"--requests: a multiple of {2 * TOLD_EACH_REQUESTS:,}")
    with tempfile.TemporaryDirectory(prefix="gateway-memory-") as name:
        directory = Path(name)
        if os.geteuid() == 0:
            # PostgreSQL's own user is to reach its cluster.
            directory.chmod(0o711)
        with EmbeddedPostgres(directory) as postgres, fresh_database(postgres) as url:
            population = asyncio.run(populate(url, PAYERS))
            gateway = servers.gateway("gateway", url)
            with running(gateway, population.ledger, directory / "servers.log", None) as server:
                told = dict(_watched(server, population, options.requests))
    rows = [[f"{requests:,}", f"{requests // TIMES_EACH:,}", f"{mib:.0f}"] for requests, mib in told.items()]
    page = table(["requests", "documents", "MiB"], rows)
    if options.write is not None:
        write(options.write, page, MARK)
    return 0 if told[options.requests] <= ALLOWED * told[options.requests // 2] else 1


def _watched(server: Running, population: Population, number: int) -> Iterator[tuple[int, float]]:
    """Send everything, and yield how many requests there have been with the worker's memory, in MiB."""
    draw = random.Random(SEED)  # noqa: S311 -- an order, and no secret
    for sent in range(0, number + 1, STAGE_REQUESTS):
        if sent % TOLD_EACH_REQUESTS == 0:
            mib = resident_mib(server.pid)
            print(f"{sent:7,} requests, {sent // TIMES_EACH:6,} documents: {mib:6.1f} MiB", flush=True)
            yield sent, mib
        if sent < number:
            requests = _requests(server.dialect(), population, draw, sent)
            # It ends when there are no more requests, with those that are on their way then.
            with contextlib.suppress(UsedUp):
                drive(server.port, Load(requests, b'"maskedName"', CONNECTIONS, STAGE_SECONDS, 0.0))


def _requests(dialect: Dialect, population: Population, draw: random.Random, sent: int) -> Iterator[bytes]:
    for number in range(sent // TIMES_EACH, (sent + STAGE_REQUESTS) // TIMES_EACH):
        own = Dialect(dialect.host, dialect.path, {"payer": document(number)}, dialect.ids, dialect.headers)
        for _ in range(TIMES_EACH):
            person, _ = population.payer(draw)
            yield own.request("payer", dict(person.variables))


def resident_mib(pid: int) -> float:
    """Return what of a process is in memory (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


if __name__ == "__main__":
    sys.exit(main())
