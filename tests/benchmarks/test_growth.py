"""The populations of the growth and memory benchmarks: real people, in the tables as they were migrated."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from graphql import parse, validate

from benchmarks import servers
from benchmarks.growth import PAYMENTS_DRAWN, WORKLOADS, Size
from benchmarks.ledger import MASTER_KEY
from benchmarks.memory import document
from benchmarks.population import MAX_PAYERS, Population, person, populate
from benchmarks.relaxed import relaxed
from benchmarks.servers import running
from benchmarks.workloads import MARKERS
from contributions.resident_id import parse as parse_resident_id
from database.pool import connect
from gateway.sandbox import prepare
from schema.contract import schema
from tests.databases import fresh_database

SIZE = 300
#: What a table is beside its rows: constraints and indexes in their own words, triggers, and row-level security.
CATALOG = """
    SELECT 'constraint' AS kind, c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid) || c.convalidated
    FROM pg_constraint AS c WHERE c.connamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'index', i.indrelid::regclass::text, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
    FROM pg_index AS i INNER JOIN pg_class AS c ON i.indrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'trigger', t.tgrelid::regclass::text, t.tgname, pg_get_triggerdef(t.oid) || t.tgenabled::text
    FROM pg_trigger AS t WHERE NOT t.tgisinternal
    UNION ALL
    SELECT 'table', c.oid::regclass::text, '', c.relrowsecurity::text || c.relforcerowsecurity::text
    FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    ORDER BY 1, 2, 3, 4
"""


async def catalog(url: str) -> list[tuple[str, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(CATALOG)]
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def empty(postgres_url: str) -> Iterator[str]:
    async def load(url: str) -> None:
        connection = await connect(url)
        try:
            await prepare(connection, MASTER_KEY)
        finally:
            await connection.close()

    with fresh_database(postgres_url) as url:
        asyncio.run(load(url))
        yield url


@pytest.fixture(scope="module")
def province(postgres_url: str) -> Iterator[tuple[str, Population]]:
    with fresh_database(postgres_url) as url:
        yield url, asyncio.run(populate(url, SIZE))


@pytest.fixture
async def connection(empty: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await connect(empty)
    yield opened
    await opened.close()


def test_everybody_has_a_number_of_their_own() -> None:
    numbers = {person(number).resident_id for number in range(0, MAX_PAYERS, 997)}
    assert len(numbers) == len(range(0, MAX_PAYERS, 997))
    for number in (0, 1, MAX_PAYERS - 1):
        parse_resident_id(person(number).resident_id)


def test_the_tables_are_as_the_migrations_made_them(empty: str, province: tuple[str, Population]) -> None:
    assert asyncio.run(catalog(province[0])) == asyncio.run(catalog(empty))


@pytest.mark.anyio
async def test_rows_that_break_a_rule_are_not_loaded(connection: asyncpg.Connection, empty: str) -> None:
    before = await catalog(empty)
    with pytest.raises(asyncpg.ExclusionViolationError):
        async with relaxed(connection, ["contributions"]):
            await connection.execute(
                """
                INSERT INTO contributions (payer_id, insurance, months, amount, paid_on)
                SELECT 1, 'MEDICAL', int4range(24240, 24242 + n), 1, '2020-01-01' FROM generate_series(1, 2) AS n
                """
            )
    assert await catalog(empty) == before


def test_each_workload_is_answered_for_anybody(province: tuple[str, Population], tmp_path: Path) -> None:
    url, population = province
    draw = random.Random(1)
    bills = iter(draw.sample(population.bills_to_pay, min(PAYMENTS_DRAWN, len(population.bills_to_pay))))
    with running(servers.gateway("gateway", url), population.ledger, tmp_path / "log", None) as server:
        size = Size("300", url, population, server, None, draw, bills, iter(range(100)))  # type: ignore[arg-type]
        for workload in WORKLOADS:
            requests = size.requests(workload, 0.0)
            for _ in range(5):
                answer = server.answer(next(requests)).decode().replace(" ", "")
                assert MARKERS[workload].decode() in answer
                if workload == "bills":
                    assert answer.count("billNumber") == 100


def test_the_documents_of_the_memory_benchmark_are_all_different_and_valid() -> None:
    assert len({document(number) for number in range(10_000)}) == 10_000
    for number in range(0, 10_000, 1999):
        assert validate(schema._schema, parse(document(number))) == []
