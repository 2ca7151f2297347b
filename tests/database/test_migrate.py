import asyncio
import json
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest

from database import migrate as module
from database.migrate import Migration, MigrationChanged, migrate, migrations, missing
from database.pool import connect

pytestmark = pytest.mark.anyio

MIGRATE = """
import asyncio, json, sys
from database.migrate import migrate
from database.pool import connect

async def main():
    connection = await connect(sys.argv[1])
    print(json.dumps(await migrate(connection)))
    await connection.close()

asyncio.run(main())
"""


@pytest.fixture
async def connection(empty_database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(empty_database)
    yield connection
    await connection.close()


async def test_an_empty_database_gets_every_migration_in_order_and_once(connection: asyncpg.Connection) -> None:
    names = [migration.name for migration in migrations()]
    assert names[0].startswith("0001_")
    assert names == sorted(names)
    assert await missing(connection) == names
    assert await migrate(connection) == names
    assert await missing(connection) == []
    assert await migrate(connection) == []


async def test_several_processes_at_once_apply_each_migration_once(empty_database: str) -> None:
    async def process() -> list[str]:
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-c", MIGRATE, empty_database, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await running.communicate()
        assert running.returncode == 0
        return list(json.loads(said))

    applied = await asyncio.gather(*(process() for _ in range(4)))
    assert sorted(applied) == [[], [], [], [migration.name for migration in migrations()]]


async def test_a_migration_that_this_database_lacks_is_missing(database: str) -> None:
    connection = await connect(database)
    try:
        last = await connection.fetchval(
            "DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations) RETURNING name"
        )
        assert await missing(connection) == [last]
    finally:
        await connection.close()


async def test_an_applied_migration_that_was_edited_is_named(database: str) -> None:
    connection = await connect(database)
    try:
        await connection.execute(r"UPDATE schema_migrations SET checksum = '\x00' WHERE version = 2")
        with pytest.raises(MigrationChanged, match="0002_"):
            await missing(connection)
        with pytest.raises(MigrationChanged, match="0002_"):
            await migrate(connection)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("CREATE TABLE bad (); SELECT 1 / 0", asyncpg.DivisionByZeroError),
        # Applied, but not recorded.
        ("CREATE TABLE bad (); INSERT INTO schema_migrations VALUES (2, '', '')", asyncpg.UniqueViolationError),
    ],
    ids=["refused", "unrecorded"],
)
async def test_a_migration_that_fails_leaves_nothing_of_itself_and_all_before_it(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, sql: str, error: type[Exception]
) -> None:
    good = Migration(1, "0001_good", "CREATE TABLE good ()")
    bad = Migration(2, "0002_bad", sql)
    monkeypatch.setattr(module, "migrations", lambda: [good, bad])
    with pytest.raises(error):
        await migrate(connection)
    assert await missing(connection) == ["0002_bad"]
    assert await connection.fetchval("SELECT to_regclass('good') IS NOT NULL AND to_regclass('bad') IS NULL")
    # Nobody waits for the lock of a migration that failed.
    mended = Migration(2, "0002_bad", "CREATE TABLE bad ()")
    monkeypatch.setattr(module, "migrations", lambda: [good, mended])
    assert await migrate(connection) == ["0002_bad"]


async def test_migrating_leaves_the_timeouts_of_the_session_as_they_were(empty_database: str) -> None:
    settings = {"statement_timeout": "7000", "lock_timeout": "3000"}
    connection = await asyncpg.connect(empty_database, server_settings=settings)
    try:
        await migrate(connection)
        assert await connection.fetchval("SHOW statement_timeout") == "7s"
        assert await connection.fetchval("SHOW lock_timeout") == "3s"
    finally:
        await connection.close()
