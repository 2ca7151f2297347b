from urllib.parse import urlsplit

import asyncpg
import pytest

from database.pool import connect, open_pool

pytestmark = pytest.mark.anyio


async def test_a_statement_that_takes_too_long_is_cut_off(empty_database: str) -> None:
    async with await open_pool(empty_database, statement_timeout_seconds=0.1) as pool:
        with pytest.raises(asyncpg.QueryCanceledError):
            await pool.fetchval("SELECT pg_sleep(60)")
        assert await pool.fetchval("SELECT 1") == 1


async def test_a_lock_that_is_not_given_is_waited_for_half_as_long(empty_database: str) -> None:
    async with (
        await open_pool(empty_database, statement_timeout_seconds=1) as pool,
        pool.acquire() as holder,
        holder.transaction(),
    ):
        await holder.execute("SELECT pg_advisory_xact_lock(1)")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await pool.execute("SELECT pg_advisory_xact_lock(1)")


async def test_requests_wait_neither_for_an_idle_transaction_nor_for_a_compiler(empty_database: str) -> None:
    async with await open_pool(empty_database) as pool:
        assert await pool.fetchval("SHOW idle_in_transaction_session_timeout") == "30s"
        assert await pool.fetchval("SHOW jit") == "off"
        assert await pool.fetchval("SHOW application_name") == "gateway"


async def test_a_connection_returns_without_a_statement_and_keeps_its_prepared_ones(empty_database: str) -> None:
    async with await open_pool(empty_database, max_size=1) as pool:
        async with pool.acquire() as connection:
            assert connection.get_reset_query() == ""
            await connection.execute("SET work_mem = '5MB'")
        prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE $1"
        assert await pool.fetchval(prepared, "%pg_prepared_statements%") == 1
        assert await pool.fetchval("SHOW work_mem") == "5MB"


async def test_behind_pgbouncer_no_setting_is_asked_for_and_no_statement_is_kept(empty_database: str) -> None:
    async with await open_pool(empty_database, max_size=1, statement_cache_size=0) as pool:
        assert await pool.fetchval("SHOW statement_timeout") == "0"
        assert await pool.fetchval("SHOW application_name") == "gateway"
        client = "SELECT array_agg(name::text ORDER BY name) FROM pg_settings WHERE source = 'client'"
        for _ in range(2):
            assert await pool.fetchval(client) == ["application_name", "client_encoding"]
            assert await pool.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''") == 0


async def test_of_several_hosts_the_one_that_answers_is_used(empty_database: str) -> None:
    parts = urlsplit(empty_database)
    credentials, _, server = parts.netloc.rpartition("@")
    # Port 1 is tcpmux, which nothing has listened at for decades.
    several = parts._replace(netloc=f"{credentials}@127.0.0.1:1,{server}").geturl()
    async with await open_pool(several) as pool:
        assert await pool.fetchval("SELECT 1") == 1


async def test_a_server_that_takes_no_writes_is_not_used(empty_database: str) -> None:
    connection = await connect(empty_database)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await connection.close()
    with pytest.raises(asyncpg.TargetServerAttributeNotMatched):
        await open_pool(empty_database)
    with pytest.raises(asyncpg.TargetServerAttributeNotMatched):
        await connect(empty_database)


async def test_a_command_is_not_cut_off(empty_database: str) -> None:
    connection = await connect(empty_database)
    try:
        assert await connection.fetchval("SHOW statement_timeout") == "0"
    finally:
        await connection.close()
