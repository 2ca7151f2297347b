"""Connections to PostgreSQL, for requests and for commands.

A URL may name several hosts, `postgresql://user:password@one:5432,two:5432/gateway`; the one that takes writes
is used. Its query may ask for TLS (`?sslmode=verify-full`) and for settings other than those made here.
"""

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg

from database.lending import ACT_FOR, Lent, Pool, RequestConnection
from database.together import Question, Together

# For a host that is down: long enough for a failover's answer, short enough to try the next one of several.
CONNECT_TIMEOUT_SECONDS = 10
# A request that PostgreSQL should have ended by itself is given up: the network or the host has gone silent.
GRACE_SECONDS = 5
# A read tree's statement may be longer than asyncpg's own limit, 15 kB, beyond which none is kept prepared. With
# statement_cache_size, this bounds what one connection keeps.
MAX_CACHED_STATEMENT_BYTES = 128 * 1024
# A transaction that waits for its own client holds its locks for nobody.
IDLE_IN_TRANSACTION_TIMEOUT_SECONDS = 30

# PostgreSQL is not there, is ending, starting or failing over, or has no connection to give. What was sent may
# have run.
DATABASE_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    # A connection that has just been lost and is used once more, and a server that takes no writes.
    asyncpg.InternalClientError,
)


async def act_for(connection: asyncpg.Connection, institution_id: int) -> None:
    """Let row-level security show this institution's rows alone, until the transaction ends."""
    await connection.fetchval(ACT_FOR, str(institution_id), True)


class InstitutionPool:
    """The shared connections, for the requests of one institution: they see no other's rows.

    That is the lock behind the conditions of the statements themselves. `for_transactions` is for PgBouncer in
    transaction pooling, where whom a session acts for would be forgotten: each use is then one transaction.
    """

    __slots__ = ("_for_transactions", "_institution_id", "_pool", "_together")

    def __init__(self, pool: asyncpg.Pool, institution_id: int, *, for_transactions: bool = False) -> None:
        self._pool = pool
        self._institution_id = institution_id
        self._for_transactions = for_transactions
        self._together = Together(self.acquire)

    def acquire(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """Take a connection that acts for the institution. Raises TimeoutError when none is to be had in time."""
        return self._transaction() if self._for_transactions else Lent(self._pool, self._institution_id)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[asyncpg.Connection]:
        async with self._pool.acquire() as connection, connection.transaction():
            await act_for(connection, self._institution_id)
            yield connection

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Return the rows of a statement."""
        async with self.acquire() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
            return rows

    async def fetchrow(self, sql: str, *arguments: object) -> asyncpg.Record | None:
        """Return the first row of a statement, None without one."""
        async with self.acquire() as connection:
            return await connection.fetchrow(sql, *arguments)

    def ask(self, question: Question, parameters: Sequence[object]) -> Awaitable[asyncpg.Record | None]:
        """Return what will be the row that answers a question, None without one; with others who ask it now."""
        return self._together.ask(question, parameters)

    async def fetchval(self, sql: str, *arguments: object) -> Any:
        """Return the first value of the first row of a statement, None without one."""
        async with self.acquire() as connection:
            return await connection.fetchval(sql, *arguments)

    async def execute(self, sql: str, *arguments: object) -> str:
        """Run a statement, and return what PostgreSQL says of it."""
        async with self.acquire() as connection:
            status: str = await connection.execute(sql, *arguments)
            return status


async def passes_row_security(connection: asyncpg.Connection) -> bool:
    """Whether the connection's role is one that PostgreSQL holds to no policy."""
    passes: bool = await connection.fetchval(
        "SELECT r.rolsuper OR r.rolbypassrls FROM pg_roles AS r WHERE r.rolname = current_user"
    )
    return passes


async def _know_records(connection: asyncpg.Connection) -> None:
    """Make asyncpg learn what stands inside a ROW: it asks for the types of a result's columns alone."""
    await connection.fetchrow(
        """
        SELECT
            ARRAY[ROW(1)], '{}'::int4multirange,
            NULL::bigint[], NULL::integer[], NULL::text[], NULL::numeric[], NULL::date[], NULL::timestamptz[]
        """
    )


async def open_pool(
    url: str,
    *,
    max_size: int = 10,
    min_size: int = 1,
    statement_timeout_seconds: float = 10,
    statement_cache_size: int = 100,
    connection_class: type[RequestConnection] = RequestConnection,
) -> asyncpg.Pool:
    """The connections that requests share. A waiting statement is cut off after `statement_timeout_seconds`.

    `statement_cache_size=0` is for PgBouncer in transaction pooling. PgBouncer refuses a connection that asks for
    settings other than client_encoding, datestyle, timezone, standard_conforming_strings and application_name,
    unless its `ignore_startup_parameters` lists them, and then drops them. So none are asked for, and the operator
    sets them on the role: `ALTER ROLE gateway SET statement_timeout = '10s'`, and so lock_timeout,
    idle_in_transaction_session_timeout and jit.

    Raises OSError or asyncpg.PostgresError when there is no PostgreSQL to be had.
    """
    settings = {"application_name": "gateway"}
    if statement_cache_size > 0:
        settings |= {
            "statement_timeout": _milliseconds(statement_timeout_seconds),
            # What waits for a lock as long as this is behind something stuck, and is told so.
            "lock_timeout": _milliseconds(statement_timeout_seconds / 2),
            "idle_in_transaction_session_timeout": _milliseconds(IDLE_IN_TRANSACTION_TIMEOUT_SECONDS),
            # Our statements take milliseconds; compiling one takes tens of them.
            "jit": "off",
            # Every statement finds its rows by an index, the same one whatever the parameters are, and
            # tests/resolvers/test_plans.py holds that. Left to choose, PostgreSQL plans the longer ones anew for each
            # request, which takes longer than to run them; and what it plans while a table is still empty, and keeps,
            # reads the table whole when it has grown.
            "plan_cache_mode": "force_generic_plan",
            "enable_seqscan": "off",
        }
    return await Pool(
        url,
        connection_class=connection_class,
        record_class=asyncpg.Record,
        min_size=min_size,
        max_size=max_size,
        # Statements stay prepared for as long as the connection: none is renewed for having served many.
        max_queries=2**31,
        # The pool sees to it.
        max_inactive_connection_lifetime=0,
        setup=None,
        init=_know_records,
        loop=None,
        statement_cache_size=statement_cache_size,
        # Statements are kept as long as the connection: an expired one costs some request a round trip.
        max_cached_statement_lifetime=0,
        max_cacheable_statement_size=MAX_CACHED_STATEMENT_BYTES,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=statement_timeout_seconds + GRACE_SECONDS,
        target_session_attrs="read-write",
        server_settings=settings,
    )


async def connect(
    url: str,
    *,
    actor: str | None = None,
    application_name: str = "gateway command",
    statement_cache_size: int = 100,
    command_timeout_seconds: float | None = None,
) -> asyncpg.Connection:
    """One connection for a command, whose statements take as long as they need. Raises as open_pool does.

    With `command_timeout_seconds` a statement is given up after so long, with TimeoutError.

    `actor` is whom the audit trail names for what is changed over it, the database's role if None. It is a setting
    of the session, which PgBouncer refuses (open_pool says more): in transaction pooling it would be everybody's.
    """
    settings = {"application_name": application_name}
    if actor is not None:
        settings["gateway.actor"] = actor
    return await asyncpg.connect(
        url,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=command_timeout_seconds,
        target_session_attrs="read-write",
        statement_cache_size=statement_cache_size,
        server_settings=settings,
    )


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
