"""Tables without their indexes, constraints and triggers while they are filled, and with the very same afterwards.

Everything is read from the catalog and made again by PostgreSQL's own words for it, which checks every row: what does
not keep the rules is not loaded. It needs nobody but the tables' owner.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

#: For building the indexes of a table of tens of millions of rows, in a database that ends with its benchmark.
MAINTENANCE_WORK_MEM = "1GB"

# Foreign keys go first and come last, those of other tables that point here as well.
_CONSTRAINTS = """
    SELECT
        c.conrelid::regclass::text AS table_name, quote_ident(c.conname) AS name, pg_get_constraintdef(c.oid) AS words
    FROM pg_constraint AS c
    WHERE
        (c.contype IN ('p', 'u', 'x') AND c.conrelid = any($1::text []::regclass []))
        OR (
            c.contype = 'f'
            AND (c.conrelid = any($1::text []::regclass []) OR c.confrelid = any($1::text []::regclass []))
        )
    ORDER BY c.contype <> 'f', c.conrelid::regclass::text, c.conname
"""
_INDEXES = """
    SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS words
    FROM pg_index AS i
    WHERE
        i.indrelid = any($1::text []::regclass [])
        AND NOT EXISTS (
            SELECT 1 FROM pg_constraint AS c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x')
        )
    ORDER BY 1
"""
_FORCED = """
    SELECT c.oid::regclass::text AS name
    FROM pg_class AS c
    WHERE c.oid = any($1::text []::regclass []) AND c.relforcerowsecurity
    ORDER BY 1
"""


@asynccontextmanager
async def relaxed(connection: asyncpg.Connection, tables: Sequence[str]) -> AsyncIterator[None]:
    """Take from these tables what slows a load down, and give it back at the end, in one transaction.

    Raises asyncpg.IntegrityConstraintViolationError when the rows break a rule; then nothing has changed.
    """
    async with connection.transaction():
        await connection.execute(f"SET LOCAL maintenance_work_mem = '{MAINTENANCE_WORK_MEM}'")
        await connection.execute("SET LOCAL search_path = public")
        constraints = await connection.fetch(_CONSTRAINTS, tables)
        indexes = await connection.fetch(_INDEXES, tables)
        forced = await connection.fetch(_FORCED, tables)
        for table in tables:
            await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for (table,) in forced:
            await connection.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        for table, name, _ in constraints:
            await connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        for name, _ in indexes:
            await connection.execute(f"DROP INDEX {name}")
        yield
        for table, name, words in reversed(constraints):
            await connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {words}")
        for _, words in indexes:
            await connection.execute(words)
        for (table,) in forced:
            await connection.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        for table in tables:
            await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
