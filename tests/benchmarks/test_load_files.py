"""`make bench-load`: what plain COPY writes is what the load wrote."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import pytest

from benchmarks.load_files import COPIED, ORDERS, measure, people
from tests.databases import fresh_database

ROWS = 300


@pytest.fixture
def databases(postgres_url: str) -> Iterator[list[str]]:
    with ExitStack() as stack:
        yield [stack.enter_context(fresh_database(postgres_url)) for _ in range(1 + len(ORDERS))]


async def written(url: str) -> list[list[asyncpg.Record]]:
    connection = await asyncpg.connect(url)
    try:
        return [
            await connection.fetch(f"SELECT {', '.join(columns.split())} FROM {table} ORDER BY 1")
            for tables in COPIED.values()
            for table, columns, _payer in tables
        ]
    finally:
        await connection.close()


def test_plain_copy_writes_the_rows_that_the_load_wrote(databases: list[str], tmp_path: Path) -> None:
    tables = asyncio.run(measure(databases, ROWS, tmp_path))
    loaded, *copied = [asyncio.run(written(url)) for url in databases]
    assert [len(rows) for rows in loaded] == [ROWS, ROWS, ROWS]
    assert all(rows == loaded for rows in copied)
    for kind in COPIED:
        assert f"### {ROWS} {kind}" in tables
    for order in ORDERS:
        assert tables.count(f"| plain COPY {order} |") == len(COPIED)


def test_no_person_comes_twice() -> None:
    assert len({identity for identity, _name in people(50_000)}) == 50_000
