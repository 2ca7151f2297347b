"""The connections that requests share: lent in turn, whole when they come back, and not kept for ever."""

import asyncio
from typing import Any

import asyncpg
import pytest

import database.lending
from database.pool import InstitutionPool, open_pool

pytestmark = pytest.mark.anyio


async def test_a_connection_goes_to_whoever_has_waited_longest(empty_database: str) -> None:
    async with await open_pool(empty_database, max_size=1) as pool:
        shared = InstitutionPool(pool, 1)
        served: list[str] = []

        async def ask(name: str) -> None:
            async with shared.acquire():
                served.append(name)
                await asyncio.sleep(0)

        async with shared.acquire():
            waiting = [asyncio.create_task(ask(f"waited {number}")) for number in range(3)]
            await asyncio.sleep(0.01)
        # It has been given back, and nobody who waited has run yet.
        await ask("came last")
        await asyncio.gather(*waiting)
        assert served == ["waited 0", "waited 1", "waited 2", "came last"]


async def test_whoever_stops_waiting_leaves_the_turn_to_the_next(empty_database: str) -> None:
    async with await open_pool(empty_database, max_size=1) as pool:
        shared = InstitutionPool(pool, 1)
        async with shared.acquire():
            gone, given, next_one = (asyncio.create_task(shared.fetchval("SELECT 1")) for _ in range(3))
            await asyncio.sleep(0.01)
            gone.cancel()
        # The connection is on its way to this one.
        given.cancel()
        assert await next_one == 1
        assert await shared.fetchval("SELECT 2") == 2
        for task in (gone, given):
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_who_waits_too_long_is_told(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database.lending, "ACQUIRE_TIMEOUT_SECONDS", 0.05)
    async with await open_pool(empty_database, max_size=1) as pool:
        shared = InstitutionPool(pool, 1)
        async with shared.acquire():
            with pytest.raises(TimeoutError):
                await shared.fetchval("SELECT 1")
        assert await shared.fetchval("SELECT 1") == 1


async def test_a_connection_that_is_lost_while_it_is_lent_is_opened_anew(empty_database: str) -> None:
    async with await open_pool(empty_database, max_size=1) as pool:
        shared = InstitutionPool(pool, 1)
        async with shared.acquire() as lost:
            lost.terminate()
            # Its place in the pool is free already, and whoever has it now keeps it.
            async with shared.acquire() as other:
                assert other is not lost
                waits = asyncio.create_task(shared.fetchval("SELECT 1"))
                await asyncio.sleep(0.01)
                assert await other.fetchval("SELECT 2") == 2
            assert await waits == 1
        assert await shared.fetchval("SELECT 3") == 3
        assert pool.get_size() == 1


async def test_a_transaction_that_is_cancelled_is_over_before_others_have_its_connection(empty_database: str) -> None:
    async with await open_pool(empty_database, max_size=1) as pool:
        shared = InstitutionPool(pool, 1)
        await shared.execute("CREATE TABLE kept (number integer)")

        async def begin() -> None:
            async with shared.acquire() as connection:
                await connection.execute("BEGIN")
                await connection.execute("INSERT INTO kept VALUES (1)")
                await connection.fetchval("SELECT pg_sleep(60)")

        begun = asyncio.create_task(begin())
        await asyncio.sleep(0.1)
        begun.cancel()
        with pytest.raises(asyncio.CancelledError):
            await begun
        assert await shared.fetchval("SELECT count(*) FROM kept") == 0


async def test_a_closed_pool_lends_nothing(empty_database: str) -> None:
    pool = await open_pool(empty_database)
    await pool.close()
    with pytest.raises(asyncpg.InterfaceError):
        await InstitutionPool(pool, 1).fetchval("SELECT 1")


async def test_a_connection_that_nobody_uses_is_closed_but_for_the_last(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database.lending, "IDLE_CONNECTION_SECONDS", 0.05)
    async with await open_pool(empty_database, max_size=3) as pool:
        shared = InstitutionPool(pool, 1)
        await asyncio.gather(*(shared.fetchval("SELECT pg_sleep(0.01)") for _ in range(3)))
        assert pool.get_size() == 3
        async with asyncio.timeout(10):
            while pool.get_size() > 1:  # noqa: ASYNC110 -- the pool tells nobody
                await asyncio.sleep(0.01)
        assert await shared.fetchval("SELECT 1") == 1


async def test_a_statement_whose_table_has_changed_is_prepared_anew(empty_database: str) -> None:
    async with await open_pool(empty_database, max_size=1) as pool:
        shared = InstitutionPool(pool, 1)
        await shared.execute("CREATE TABLE changing (one integer)")
        await shared.execute("INSERT INTO changing VALUES (1)")
        read = "SELECT * FROM changing"
        for _ in range(2):
            assert await shared.fetchrow(read) == (1,)
        await _changed(empty_database, "ALTER TABLE changing ADD COLUMN two text DEFAULT 'b'")
        assert await shared.fetchrow(read) == (1, "b")
        async with shared.acquire() as connection, connection.transaction():
            await connection.fetchrow(read)
        await _changed(empty_database, "ALTER TABLE changing DROP COLUMN one")
        with pytest.raises(asyncpg.InvalidCachedStatementError):
            async with shared.acquire() as connection, connection.transaction():
                await connection.fetchrow(read)
        assert await shared.fetchrow(read) == ("b",)


async def _changed(url: str, sql: str) -> Any:
    connection = await database.pool.connect(url)
    try:
        return await connection.execute(sql)
    finally:
        await connection.close()
