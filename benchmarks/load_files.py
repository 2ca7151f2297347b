"""A file of enrolments and one of bills loaded, phase by phase, beside plain COPY of what they become.

Run by `make bench-load` (ROWS=100000 for a quick one). Plain COPY is what PostgreSQL itself can do at best: the very
rows that the load has written, valid, sealed and with their payers' ids, read from memory in COPY's binary form by one
connection, into a database with the same migrations: the same tables with all of their indexes (the exclusion
constraint's among them), checks, foreign keys, triggers and row-level security. For enrolments that is `payers` and
`enrolments`, for bills `bills`, each in one transaction. It is done in the file's order and in the payers'.
"""

import argparse
import asyncio
import os
import platform
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

import asyncpg

from benchmarks.cores import cpu_seconds
from benchmarks.report import table, write
from database.embedded import EmbeddedPostgres
from database.loading import bills, enrolments
from database.loading.kinds import Kind
from database.loading.staging import load_file
from database.migrate import migrate
from database.pool import connect
from database.vault import Vault
from tests.acceptance.people import resident_id
from tests.databases import fresh_database

MASTER_KEY: Final = bytes(range(32))
#: What is copied, and in which order: of `bills`, which have the file's own numbers.
COPIED: Final = {
    "enrolments": (
        ("payers", "id resident_id_index name_index sealed_identity data_key_id masked_name masked_resident_id", "id"),
        ("enrolments", "payer_id insurance months pooling_area", "payer_id"),
    ),
    "bills": (("bills", "id bill_number origin payer_id insurance pooling_area months amount pay_by", "payer_id"),),
}
ORDERS: Final = {"in the file's order": "b.bill_number", "in the payers' order": "b.payer_id"}
#: A prime beyond every number of rows: its multiples visit all people, each far from the one before.
STRIDE: Final = 15_485_863

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Spent:
    """What something took: seconds, and those of processors in this process, its readers and PostgreSQL together."""

    seconds: float
    cpu: float

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.seconds + other.seconds, self.cpu + other.cpu)


class Clock:
    """Laps, each from the end of the one before."""

    def __init__(self) -> None:
        self._last = self._now()
        self.laps: dict[str, Spent] = {}

    def lap(self, name: str) -> None:
        """End a lap; laps of one name are added up."""
        now = self._now()
        spent = Spent(now.seconds - self._last.seconds, now.cpu - self._last.cpu)
        self._last = now
        self.laps[name] = self.laps.get(name, Spent(0, 0)) + spent

    @staticmethod
    def _now() -> Spent:
        return Spent(time.perf_counter(), cpu_seconds(os.getpid()) or 0)


def people(count: int) -> Iterator[tuple[str, str]]:
    """Yield so many people, each once, in no order of their numbers."""
    for place in range(count):
        number = place * STRIDE % count
        day, serial = divmod(number, 900)
        year, day = divmod(day, 28 * 12)
        born = f"{1940 + year % 70}{1 + day // 28:02}{1 + day % 28:02}"
        name = f"{chr(0x4E00 + number % 400)}{chr(0x5E00 + number // 400 % 2000)}{chr(0x6E00 + number % 7)}"
        yield resident_id(f"36{9999 - year // 70}{born}{100 + serial}"), name


def rows_of_enrolments(count: int) -> Iterator[str]:
    """Yield the lines of a file of enrolments: each person in one of the province's cities."""
    yield ",".join(enrolments.COLUMNS)
    for number, (identity, name) in enumerate(people(count)):
        yield f"{identity},{name},MEDICAL,36{1 + number % 11:02}00,2020-01,"


def rows_of_bills(count: int) -> Iterator[str]:
    """Yield the lines of a file of bills: a year of each person."""
    yield ",".join(bills.COLUMNS)
    for number, (identity, name) in enumerate(people(count)):
        area, amount = f"36{1 + number % 11:02}00", f"{4000 + number % 3000}.00"
        yield (f"M2021-{number:08},{identity},{name},MEDICAL,{area},2021-01,2021-12,{amount},2021-06-30,MEDICAL_BATCH")


def write_file(path: Path, lines: Iterator[str]) -> Path:
    """Write lines, some thousand at a time."""
    with path.open("w", encoding="utf-8") as file:
        while some := list(islice(lines, 10_000)):
            file.write("\n".join(some) + "\n")
    return path


async def load(connection: asyncpg.Connection, vault: Vault, kind: Kind, path: Path, rows: int) -> dict[str, Spent]:
    """Load a file, and return what its phases took."""
    clock = Clock()

    def ending(
        name: str, work: Callable[[asyncpg.Connection], Awaitable[Result]]
    ) -> Callable[[asyncpg.Connection], Awaitable[Result]]:
        async def timed(connection: asyncpg.Connection) -> Result:
            clock.lap("read and staged" if name == "judged" else name)
            result = await work(connection)
            clock.lap(name)
            return result

        return timed

    timed = replace(kind, judge=ending("judged", kind.judge), take_over=ending("taken over", kind.take_over))
    report = await load_file(connection, timed, vault, path, accept_valid=False, progress=None)
    clock.lap("digest and commit")
    assert report.loaded == report.rows_read == rows, report
    return clock.laps


async def rows_written(connection: asyncpg.Connection, order: str, table: str, columns: str, payer: str) -> bytes:
    """Return a table's rows in COPY's binary form, in an order of the bills of their payers."""
    written = BytesIO()
    named = ", ".join(f"t.{column}" for column in columns.split())
    # The tables' and columns' names are this module's own.
    query = f"SELECT {named} FROM {table} AS t INNER JOIN bills AS b ON t.{payer} = b.payer_id ORDER BY {order}"  # noqa: S608
    await connection.copy_from_query(query, output=written, format="binary")
    return written.getvalue()


async def plain_copy(connection: asyncpg.Connection, kind: str, written: list[bytes]) -> Spent:
    """Copy the rows of one kind of file, and return what that took."""
    clock = Clock()
    async with connection.transaction():
        for (name, columns, _payer), rows in zip(COPIED[kind], written, strict=True):
            await connection.copy_to_table(name, source=BytesIO(rows), columns=columns.split(), format="binary")
    clock.lap("copied")
    return clock.laps["copied"]


async def measure(urls: Iterable[str], rows: int, directory: Path) -> str:
    """Load into the first database, copy into the others, and return the tables."""
    first, *others = urls
    connections = [await connect(url) for url in (first, *others)]
    try:
        for connection in connections:
            await migrate(connection)
            vault = await Vault.open(connection, MASTER_KEY)
        loading = connections[0]
        vault = await Vault.open(loading, MASTER_KEY)
        loaded = {}
        for kind, lines in ((enrolments.kind(vault), rows_of_enrolments), (bills.kind(vault), rows_of_bills)):
            path = write_file(directory / f"{kind.name}.csv", lines(rows))
            loaded[kind.name] = await load(loading, vault, kind, path, rows)
            path.unlink()
        copied: dict[str, dict[str, Spent]] = {kind: {} for kind in COPIED}
        for connection, (order, column) in zip(connections[1:], ORDERS.items(), strict=True):
            for name, tables in COPIED.items():
                written = [await rows_written(loading, column, *what) for what in tables]
                copied[name][order] = await plain_copy(connection, name, written)
    finally:
        for connection in connections:
            await connection.close()
    return "\n".join(told(kind, rows, loaded[kind], copied[kind]) for kind in COPIED)


def told(kind: str, rows: int, phases: dict[str, Spent], copied: dict[str, Spent]) -> str:
    """Return one kind's table."""
    whole = sum(phases.values(), start=Spent(0, 0))
    head = ["", "rows/s", "seconds", "CPU seconds", "whole load is", "by CPU"]
    lines = [[name, *_numbers(rows, spent), "", ""] for name, spent in phases.items()]
    lines.append(["**whole load**", *_numbers(rows, whole), "", ""])
    for order, spent in copied.items():
        by_cpu = f"{spent.cpu / whole.cpu:.2f} ×" if whole.cpu else ""
        ratio = f"{spent.seconds / whole.seconds:.2f} ×"
        lines.append([f"plain COPY {order}", *_numbers(rows, spent), ratio, by_cpu])
    return f"### {rows:,} {kind}\n\n{table(head, lines)}"


def _numbers(rows: int, spent: Spent) -> list[str]:
    cpu = f"{spent.cpu:.1f}" if spent.cpu else ""
    return [f"{rows / max(spent.seconds, 1e-9):,.0f}", f"{spent.seconds:.1f}", cpu]


def main() -> None:
    """Measure, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of each file, at most 10,000,000")
    parser.add_argument("--write", type=Path, help="the page that the tables go to")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-load-") as name:
        directory = Path(name)
        # Where root runs it, PostgreSQL's own user is to reach its cluster.
        directory.chmod(0o711)
        before = os.getloadavg()[0]
        with (
            EmbeddedPostgres(directory) as url,
            fresh_database(url) as first,
            fresh_database(url) as second,
            fresh_database(url) as third,
        ):
            tables = asyncio.run(measure((first, second, third), options.rows, directory))
    tables += (
        f"\nPython {platform.python_version()}; {os.cpu_count()} processors, load average {before:.1f} before the run "
        f"and {os.getloadavg()[0]:.1f} at its end.\n"
    )
    print(tables)
    if options.write:
        write(options.write, tables, "make bench-load")


if __name__ == "__main__":
    main()
