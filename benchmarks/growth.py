"""`make bench-growth`: the same requests at ten thousand payers and at very many more, by the same gateway.

Each size has a database of its own on one server, and a gateway; all run at once and are measured in turn, in shuffled
rounds. With `--keep` the databases stay in a directory, and the next run finds them there. Every request is of another
payer, drawn from the whole population, so that few find their rows where the request before has left them. PostgreSQL
has the shared buffers of the embedded server unless another number is given, and the tables that requests look into
are read once before the clock starts: a server that has run for a day has in memory what there is room for.
"""

import argparse
import asyncio
import os
import random
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from benchmarks import servers
from benchmarks.bench import Bench
from benchmarks.cores import cores, pinned
from benchmarks.huge_pages import huge_pages
from benchmarks.load import Load, Measured, drive
from benchmarks.population import BILLS_LISTED, MAX_PAYERS, Population, found, populate
from benchmarks.report import Rounds, table, write
from benchmarks.servers import Running, running
from benchmarks.workloads import COLLECTED_AT, MARKERS, SEED, TITLES, Dialect
from database.embedded import SETTINGS, EmbeddedPostgres
from database.pool import connect
from tests.databases import fetch, fresh_database

MARK = "make bench-growth"
WORKLOADS = ("payer", "bills", "quote", "payment")
AMOUNT = "180.00"
#: More than one worker answers: requests that cost nothing to make while the clock runs.
MADE_PER_SECOND = 12_000
#: So many payments are drawn, or all there are: none is drawn twice.
PAYMENTS_DRAWN = 200_000
#: A backend tells what it has read when it has nothing to do and has not told for a second.
TOLD_AFTER_SECONDS = 1.2
TELLING_SECONDS = 0.5
#: Enough for a mean, on enough connections to keep every backend of the pool busy.
COUNTED_SECONDS, COUNTED_CONNECTIONS = 1.0, 32
#: Fewer payers are written anew each time, which takes a second: their bills would soon all be paid.
KEPT_FROM = 100_000
#: A checkpoint in the middle of a load writes every page of it twice.
LOADING = {"max_wal_size": "8GB"}
_PAGES = "SELECT blks_hit + blks_read, blks_read FROM pg_stat_database WHERE datname = current_database()"


@dataclass(slots=True)
class Size:
    """A population, the gateway before it, and what of it has been used up."""

    name: str
    url: str
    population: Population
    server: Running
    bench: Bench
    draw: random.Random
    payments: Iterator[int]
    references: Iterator[int]
    workers: int = 1
    sent: int = 0

    def requests(self, workload: str, seconds: float) -> Iterator[bytes]:
        """Yield requests for so many seconds, and count those that are taken."""
        dialect = self.server.dialect()
        if workload == "payment":
            made = self._payments(dialect)
        else:
            number = round(MADE_PER_SECOND * seconds) + 100
            made = iter([dialect.request(workload, self._variables(workload, dialect)) for _ in range(number)])
        for request in made:
            self.sent += 1
            yield request

    def _variables(self, workload: str, dialect: Dialect) -> dict[str, object]:
        if workload == "bills":
            return self.population.listed(self.draw).variables | {"first": BILLS_LISTED}
        person, row_id = self.population.payer(self.draw)
        if workload == "payer":
            return dict(person.variables)
        run = {"firstMonth": "2020-04", "lastMonth": "2020-06", "tier": "60"}
        return {"input": {"payerId": dialect.ids("Payer", row_id), **run}}

    def _payments(self, dialect: Dialect) -> Iterator[bytes]:
        for bill in self.payments:
            content = {
                "payableId": dialect.ids("AssessedBill", bill),
                "amount": AMOUNT,
                "bankReference": f"GROWTH-{next(self.references):09}",
                "collectedAt": COLLECTED_AT,
            }
            yield dialect.request("payment", {"input": content})


def main() -> None:
    """Measure, print, and write the page if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--payers", type=int, nargs="+", default=[10_000, 1_000_000], help="the least first")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each run")
    parser.add_argument("--warm-seconds", type=float, default=0.5, help="before each run, not counted")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--shared-buffers", default=SETTINGS["shared_buffers"])
    parser.add_argument("--huge-pages", action="store_true", help="for them, if the machine lets us set some aside")
    parser.add_argument("--keep", type=Path, help="a directory for the databases, which are found there the next time")
    parser.add_argument("--write", type=Path, help="the page to put the tables into")
    options = parser.parse_args()
    if not all(0 < payers <= MAX_PAYERS for payers in options.payers):
        parser.error(f"--payers: 1 to {MAX_PAYERS:,}")
    SETTINGS.update(LOADING, shared_buffers=options.shared_buffers)
    server_core, our_core = cores() or (None, None)
    everywhere = None if server_core is None or our_core is None else server_core | our_core
    with (
        tempfile.TemporaryDirectory(prefix="gateway-growth-") as name,
        pinned(our_core),
        ExitStack() as stack,
    ):
        if options.huge_pages:
            stack.enter_context(huge_pages(options.shared_buffers))
        directory = Path(name) if options.keep is None else options.keep
        directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            # PostgreSQL's own user is to reach its cluster.
            directory.chmod(0o711)
        postgres = stack.enter_context(EmbeddedPostgres(directory))
        # The first line of the file is the pid.
        postmaster = int((directory / "postgres" / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        sizes: list[Size] = []
        words = ""
        for payers in options.payers:
            if options.keep is None or payers < KEPT_FROM:
                url = stack.enter_context(fresh_database(postgres))
                population, told = _populated(url, payers, everywhere)
            else:
                url, population, told = _kept(postgres, payers, everywhere)
            words += told
            bench = Bench(options, population.ledger, directory, server_core, postmaster)
            draw = random.Random(SEED)  # noqa: S311 -- an order, and no secret
            stock = population.bills_to_pay
            drawn = draw.sample(stock, min(PAYMENTS_DRAWN + len(population.paid), len(stock)))
            payments = iter([bill for bill in drawn if bill not in population.paid])
            gateway = servers.gateway(f"{payers:,}", url)
            log = directory / "servers.log"
            server = stack.enter_context(running(gateway, population.ledger, log, server_core))
            references = count(len(population.paid))
            size = Size(gateway.name, url, population, server, bench, draw, payments, references)
            if not sizes:
                two = replace(gateway, name=f"{gateway.name}, 2 workers", command=(*gateway.command, "--workers", "2"))
                twice = stack.enter_context(running(two, population.ledger, log, everywhere))
                sizes.append(replace(size, name=two.name, server=twice, workers=2))
            sizes.append(size)
            asyncio.run(_warm(url))
        # The least with one worker is what the others are compared with.
        sizes[0], sizes[1] = sizes[1], sizes[0]
        parts = [_measured(sizes, workload, options) for workload in WORKLOADS]
    core = "no core of its own" if server_core is None else "a core of its own, two workers both"
    words += (
        f"{options.connections} connections, {options.rounds} rounds of {options.seconds:g} s; the server had {core}. "
        f"PostgreSQL: {options.shared_buffers} of shared buffers in {'huge' if options.huge_pages else 'small'} pages; "
        f"the machine has {_memory()}. The load average was "
        f"{os.getloadavg()[0]:.1f} at the end."
    )
    words = textwrap.fill(words, 120)
    print(words)
    if options.write is not None:
        write(options.write, words + "\n\n" + "\n".join(parts), MARK)


def _populated(url: str, payers: int, everywhere: set[int] | None) -> tuple[Population, str]:
    began = time.monotonic()
    with pinned(everywhere):
        population = asyncio.run(populate(url, payers))
    seconds = time.monotonic() - began
    told = f"{payers:,} payers took {seconds:.0f} s to write and {population.bytes / 1e9:.2f} GB. "
    print(told, flush=True)
    return population, told


def _kept(postgres: str, payers: int, everywhere: set[int] | None) -> tuple[str, Population, str]:
    """Return the kept database of a size with its population, written now if it is not there whole."""
    name = f"growth_{payers}"
    url = urlsplit(postgres)._replace(path=f"/{name}").geturl()
    if _is_whole(postgres, name):
        population = asyncio.run(found(url, payers))
        return url, population, f"{payers:,} payers were there, {population.bytes / 1e9:.2f} GB. "
    population, told = _populated(url, payers, everywhere)
    fetch(postgres, f"COMMENT ON DATABASE {name} IS '{_WHOLE}'")
    return url, population, told


async def _warm(url: str) -> None:
    """Have PostgreSQL read what requests look into, and write to, into as many buffers as it has."""
    connection = await connect(url)
    try:
        await connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET max_parallel_workers = 0")
        for statement in _BY_INDEX:
            await connection.fetchval(statement)
    finally:
        await connection.close()


#: Each takes an index from its beginning to its end, and the table's rows with it.
_BY_INDEX = (
    "SELECT count(masked_name) FROM (SELECT masked_name FROM payers ORDER BY name_index) AS p",
    "SELECT count(*) FROM (SELECT masked_name FROM payers ORDER BY id) AS p",
    "SELECT count(*) FROM (SELECT payer_id FROM named_payers ORDER BY payer_id, institution_id) AS n",
    "SELECT count(p) FROM (SELECT pooling_area AS p FROM enrolments ORDER BY payer_id, insurance, lower(months)) AS e",
    "SELECT count(m) FROM (SELECT amount AS m FROM contributions WHERE standing ORDER BY payer_id, insurance) AS c",
    "SELECT count(m) FROM (SELECT amount AS m FROM bills ORDER BY payer_id, id) AS b",
    "SELECT count(m) FROM (SELECT amount AS m FROM bills ORDER BY id) AS b",
    "SELECT count(*) FROM (SELECT id FROM contributions WHERE bill_id > 0 AND standing ORDER BY bill_id) AS c",
    # By the index that keeps a month from being paid twice, all of it: October 2019 is in every page, and not in every
    # row, for which the planner would take another index.
    "SELECT count(*) FROM contributions WHERE standing AND months && int4range(24237, 24238)",
    "SELECT count(*) FROM (SELECT id FROM payments ORDER BY payer_id, institution_id, id) AS p",
    "SELECT count(*) FROM (SELECT id FROM payments ORDER BY institution_id, bank_reference) AS p",
)


def _is_whole(postgres: str, name: str) -> bool:
    """Return whether a database was filled to its end; else there is an empty one now."""
    comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1"
    if fetch(postgres, comment, name) == [(_WHOLE,)]:
        return True
    fetch(postgres, f"DROP DATABASE IF EXISTS {name}")
    fetch(postgres, f"CREATE DATABASE {name}")
    return False


#: What a kept database is called once it is filled.
_WHOLE = "filled to its end"


def _measured(sizes: list[Size], workload: str, options: argparse.Namespace) -> str:
    """Measure one workload at each size, and return what is to be printed."""
    seconds = options.seconds + options.warm_seconds

    def run(size: Size) -> Measured:
        return size.bench.measure(size.server, workload, size.requests(workload, seconds))

    runs: dict[str, Callable[[], Measured]] = {size.name: partial(run, size) for size in sizes}
    measured = sizes[0].bench.rounds(runs)
    pages = {size.name: _pages(size, workload) for size in sizes if size.workers == 1}
    rows = [_row(name, rounds, measured[sizes[0].name], pages.get(name)) for name, rounds in measured.items()]
    head = [
        "payers",
        "time",
        "CPU",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "CPU µs",
        "PostgreSQL µs",
        "pages",
        "not buffered",
    ]
    part = f"### {TITLES[workload]}\n\n{table(head, rows)}"
    print(part, flush=True)
    return part


def _row(name: str, rounds: Rounds, least: Rounds, pages: tuple[float, float] | None) -> list[str]:
    both = ""
    if rounds.runs[0].cpu is not None:
        pairs = zip(rounds.runs, least.runs, strict=True)
        both = f"{median(_processors(own) / _processors(other) for own, other in pairs):.2f} ×"
    told = ["", ""] if pages is None else [f"{pages[0]:.0f}", f"{pages[1]:.1f}"]
    return [name, f"{1 / rounds.ratio(least):.2f} ×", both, *rounds.cells(), *told]


def _processors(run: Measured) -> float:
    return (run.cpu or 0) + (run.postgres or 0)


def _pages(size: Size, workload: str) -> tuple[float, float]:
    """Return the pages that PostgreSQL looks at for a request, and those of them that its buffers do not have."""
    _drive(size, workload, TELLING_SECONDS)
    time.sleep(TOLD_AFTER_SECONDS)
    _drive(size, workload, TELLING_SECONDS)
    before, sent = asyncio.run(_counted(size.url)), size.sent
    _drive(size, workload, COUNTED_SECONDS)
    time.sleep(TOLD_AFTER_SECONDS)
    _drive(size, workload, TELLING_SECONDS)
    after, requests = asyncio.run(_counted(size.url)), size.sent - sent
    return (after[0] - before[0]) / requests, (after[1] - before[1]) / requests


def _drive(size: Size, workload: str, seconds: float) -> None:
    load = Load(size.requests(workload, seconds), MARKERS[workload], COUNTED_CONNECTIONS, seconds, 0.0)
    drive(size.server.port, load)


async def _counted(url: str) -> tuple[int, int]:
    connection = await connect(url)
    try:
        looked, read = await connection.fetchrow(_PAGES)
        return looked, read
    finally:
        await connection.close()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB of memory"


if __name__ == "__main__":
    main()
