"""Every operation of the contract: how many statements it takes, and that none reads what it does not need."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from graphql import FieldNode, OperationDefinitionNode, parse

from benchmarks.ledger import MASTER_KEY
from benchmarks.population import populate
from schema.contract import schema
from tests.databases import fresh_database
from tests.desk import CountingDesk, counting
from tests.docs.test_documents import OPERATIONS
from tests.resolvers.test_plans import GROWING
from tests.resolvers.walk import OTHERS, Walk, text_of

pytestmark = pytest.mark.anyio

#: How many statements each operation takes, whatever it finds. What agencies send goes through the loader's staging
#: table, statement by statement, as many for one bill as for a hundred.
STATEMENTS = {
    "viewer": 0,
    "contribution_schedule": 1,
    "find_payer": 1,
    "request_quote": 1,
    "submit_payment": 1,
    "find_payment": 1,
    "payments_of_day": 1,
    "receipts": 1,
    "receipt": 1,
    "reverse_payment": 1,
    # What is payable, the bill, and the bill as it is read.
    "request_assessment": 3,
    "node": 1,
    # One for each kind of node.
    "nodes": 3,
    # The bank's list, and the day as it is read.
    "reconcile_day": 2,
    "settlement_day": 1,
    "register_callback": 1,
    "callback": 1,
    "remove_callback": 1,
    "request_refund": 1,
    "refunds": 1,
    "decide_refund": 1,
    "assess_bills": 12,
    "withdraw_bill": 2,
    "events": 1,
}
#: Enough for the planner to prefer an index to reading a table from end to end.
PAYERS = 3000
#: Below so many rows, a table is read whole whatever its indexes are.
SMALL_TABLE_ROWS = 1000
#: The most rows that an operation may fetch of a table: a page of a list and one more, each perhaps once more for
#: row-level security, and none of other people's.
MAX_FETCHED_ROWS = 250

#: What the population has none of: refunds that were decided, events, days that were reconciled, lines of bills, and
#: look-ups in vain.
_FILLED = (
    """
    INSERT INTO refunds (
        payment_id, institution_id, payer_id, insurance, reason, requested_by, approved, decided_by, decided_at,
        decision_reason
    )
    SELECT p.id, p.institution_id, p.payer_id, p.insurance, 'test', p.client_id, FALSE, p.client_id, now(), 'test'
    FROM payments AS p
    """,
    """
    INSERT INTO events (institution_id, sequence, kind, payment_id)
    SELECT p.institution_id, row_number() OVER (PARTITION BY p.institution_id ORDER BY p.id), 'PAYMENT_POSTED', p.id
    FROM payments AS p
    """,
    """
    INSERT INTO settlement_days (institution_id, business_date, reconciled_at)
    SELECT i.id, date '2020-01-01' + n, now() FROM institutions AS i CROSS JOIN generate_series(1, 100) AS n
    WHERE i.code = 'ABC'
    """,
    """
    INSERT INTO settlement_entries (institution_id, business_date, bank_reference, amount, reversed)
    SELECT d.institution_id, d.business_date, 'E-' || n, 1, FALSE
    FROM settlement_days AS d CROSS JOIN generate_series(1, 20) AS n
    """,
    """
    INSERT INTO settlement_differences (institution_id, business_date, bank_reference, kind, bank_amount)
    SELECT e.institution_id, e.business_date, e.bank_reference, 'MISSING_AT_GATEWAY', e.amount
    FROM settlement_entries AS e
    """,
    "INSERT INTO bill_lines SELECT b.id, lower(b.months), 100, 0.2, b.amount FROM bills AS b",
    """
    INSERT INTO lookup_failures (client_id, resident_id_index, failures, ends_at)
    SELECT 'client', decode(md5(n::text), 'hex'), 1, now() + interval '1 day' FROM generate_series(1, 2000) AS n
    """,
    "VACUUM (ANALYZE)",
)

_SCANNED = """
    SELECT t.relname AS name, t.seq_scan, coalesce(t.idx_tup_fetch, 0) AS fetched, greatest(0, c.reltuples) AS rows
    FROM pg_stat_user_tables AS t INNER JOIN pg_class AS c ON t.relid = c.oid
    WHERE t.relname = any($1::text [])
"""


def root_fields() -> set[str]:
    core = schema._schema
    assert core.query_type is not None
    assert core.mutation_type is not None
    return {*core.query_type.fields, *core.mutation_type.fields}


def test_the_walk_has_every_operation_of_the_pages_and_every_root_field() -> None:
    """What is new gets a step in the walk, and so its count and its plans are held."""
    assert {path.stem for path in OPERATIONS.glob("*.graphql")} | OTHERS.keys() == STATEMENTS.keys()
    walked = set()
    for name in STATEMENTS:
        (operation,) = parse(text_of(name)).definitions
        assert isinstance(operation, OperationDefinitionNode)
        walked |= {field.name.value for field in operation.selection_set.selections if isinstance(field, FieldNode)}
    assert walked == root_fields()


async def test_each_operation_takes_as_many_statements_as_it_should(desk: CountingDesk) -> None:
    counted = {name: len(statements) async for name, statements in Walk(desk).steps()}
    assert counted == STATEMENTS


async def test_many_bills_take_as_many_statements_as_one(desk: CountingDesk) -> None:
    counted = {name: len(statements) async for name, statements in Walk(desk, bills=7).steps()}
    assert counted["assess_bills"] == STATEMENTS["assess_bills"]


class Scans:
    """What PostgreSQL says of the tables that grow: sequential scans, and rows fetched by an index."""

    def __init__(self, desk: CountingDesk, watcher: asyncpg.Connection) -> None:
        self._desk = desk
        self._watcher = watcher
        self._before: dict[str, asyncpg.Record] = {}

    async def start(self) -> None:
        await self._read()

    async def more(self) -> dict[str, tuple[int, int, float]]:
        """Return, by table, what has been added since the last time: scans and rows; and the table's rows."""
        before = self._before
        await self._read()
        return {
            name: (row["seq_scan"] - before[name]["seq_scan"], row["fetched"] - before[name]["fetched"], row["rows"])
            for name, row in self._before.items()
        }

    async def _read(self) -> None:
        # The connection tells what it has counted before it says that it has run this.
        await self._desk.pool.fetchval("SELECT pg_stat_force_next_flush()")
        self._before = {row["name"]: row for row in await self._watcher.fetch(_SCANNED, list(GROWING))}
        assert self._before.keys() == GROWING


@pytest.fixture
async def scans(desk: CountingDesk, sandbox_copy: str) -> AsyncIterator[Scans]:
    watcher = await asyncpg.connect(sandbox_copy)
    yield Scans(desk, watcher)
    await watcher.close()


async def test_no_operation_needs_to_read_a_growing_table_whole(desk: CountingDesk, scans: Scans) -> None:
    """Functions and triggers too, which EXPLAIN does not look into."""
    # Small tables are read whole whatever their indexes are; so nobody reads them whole who has another way.
    await desk.pool.execute("SET enable_seqscan = off")
    await scans.start()
    whole = {}
    async for name, _ in Walk(desk).steps():
        if read := {table for table, (scanned, _, _) in (await scans.more()).items() if scanned}:
            whole[name] = read
    assert whole == {}


@pytest.fixture(scope="module")
def province(postgres_url: str) -> Iterator[str]:
    """A database with so many people that the planner's own choice is that of a real one."""
    with fresh_database(postgres_url) as url:
        asyncio.run(filled(url))
        yield url


async def filled(url: str) -> None:
    await populate(url, PAYERS)
    connection = await asyncpg.connect(url)
    try:
        for statement in _FILLED:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_among_many_people_an_operation_reads_its_own_rows(province: str) -> None:
    watcher = await asyncpg.connect(province)
    try:
        async with counting(province, MASTER_KEY) as desk:
            scans = Scans(desk, watcher)
            await scans.start()
            read = {}
            async for name, _ in Walk(desk).steps():
                for table, (scanned, fetched, rows) in (await scans.more()).items():
                    if (scanned and rows >= SMALL_TABLE_ROWS) or fetched > MAX_FETCHED_ROWS:
                        read[name, table] = (scanned, fetched)
            assert read == {}
    finally:
        await watcher.close()


async def test_what_reads_a_table_whole_would_be_seen(province: str) -> None:
    watcher = await asyncpg.connect(province)
    try:
        async with counting(province, MASTER_KEY) as desk:
            scans = Scans(desk, watcher)
            await scans.start()
            await desk.pool.fetch("SELECT id FROM payments WHERE teller = 'nobody'")
            assert (await scans.more())["payments"][0] == 1
            await desk.pool.fetch("SELECT id, amount FROM bills WHERE id BETWEEN 1000 AND 2000")
            assert (await scans.more())["bills"][1] > MAX_FETCHED_ROWS
    finally:
        await watcher.close()
