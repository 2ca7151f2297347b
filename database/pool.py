"""Connections to PostgreSQL, for requests and for commands.

A URL may name several hosts, `postgresql://user:password@one:5432,two:5432/gateway`; the one that takes writes
is used. Its query may ask for TLS (`?sslmode=verify-full`) and for settings other than those made here.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg

# For a host that is down: long enough for a failover's answer, short enough to try the next one of several.
CONNECT_TIMEOUT_SECONDS = 10
# A request that PostgreSQL should have ended by itself is given up: the network or the host has gone silent.
GRACE_SECONDS = 5
# A read tree's statement may be longer than asyncpg's own limit, 15 kB, beyond which none is kept prepared. With
# statement_cache_size, this bounds what one connection keeps.
MAX_CACHED_STATEMENT_BYTES = 128 * 1024
# A request that finds every connection taken for so long finds the server too busy, and is told so.
ACQUIRE_TIMEOUT_SECONDS = 5
# A connection that no request has used for so long is closed, and another opened when one is needed.
IDLE_CONNECTION_SECONDS = 300
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


class RequestConnection(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no types
    """A connection that returns to the pool without a statement to reset it.

    Requests change nothing of the session but whom it acts for: advisory locks are the transaction's, and nothing
    is listened to. asyncpg still rolls back a transaction that was left open.
    """

    __slots__ = ("acts_for", "returned_at")

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        #: Whom row-level security shows rows to, if the connection knows.
        self.acts_for: int | None = None
        #: By the event loop's clock.
        self.returned_at = 0.0

    def get_reset_query(self) -> str:
        """No statement."""
        return ""

    def is_idle(self) -> bool:
        """Whether nothing is under way on it: no statement, no cancellation of one, no transaction."""
        protocol = self._protocol
        return not (
            self._aborted
            or not protocol.is_connected()
            or protocol._is_cancelling()
            or protocol.is_in_transaction()
            or self._top_xact is not None
            or self._listeners
            or self._log_listeners
        )

    async def act_for(self, institution_id: int) -> None:
        """Let row-level security show this institution's rows alone, until the next one is named."""
        self.acts_for = None
        await self.fetchval(_ACT_FOR, str(institution_id), False)
        self.acts_for = institution_id

    async def _execute(
        self,
        query: str,
        args: tuple[object, ...],
        limit: int,
        timeout: float | None,  # noqa: ASYNC109 -- asyncpg's
        **options: Any,
    ) -> Any:
        """Run a statement that is prepared already at once: asyncpg's own steps to the same call are a tenth more."""
        statement = self._stmt_cache.get((query, asyncpg.Record, False))
        if statement is None or self._query_loggers or any(options.values()):
            return await super()._execute(query, args, limit, timeout, **options)
        try:
            return await self._protocol.bind_execute(
                statement, args, "", limit, False, self._protocol._get_timeout(timeout)
            )
        except asyncpg.OutdatedSchemaCacheError:
            # As asyncpg does: the statement has run, and can't be read.
            await self.reload_schema_state()
            raise
        except asyncpg.InvalidCachedStatementError:
            self._drop_global_statement_cache()
            if self._protocol.is_in_transaction():
                raise
        # PostgreSQL has refused it, and nothing has run.
        return await super()._execute(query, args, limit, timeout, **options)


class _Turns(asyncpg.pool._PoolConnectionHolderQueue):  # type: ignore[misc] # asyncpg has no types
    """The connections that nobody has, and who waits for one: it goes to the one who has waited longest.

    asyncio's own queue wakes that one and leaves the connection to whoever comes first; who was woken for nothing
    begins to wait anew, behind all others.
    """

    def __init__(self, maxsize: int) -> None:
        super().__init__(maxsize)
        self._waiting: deque[asyncio.Future[Any]] = deque()

    def at_once(self) -> Any:
        """Take one that is open before one that is not; None where there is none."""
        return self._get() if self._queue else None

    async def get(self) -> Any:
        """Take one, in turn."""
        if self._queue:
            return self._get()
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except BaseException:
            # Cancelled: perhaps just when it was given one.
            if turn.done() and not turn.cancelled():
                self.put_nowait(turn.result())
            raise

    def put_nowait(self, item: Any) -> None:
        """Give one back."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(item)
                return
        # There is a place for each, and nobody waits for the queue to be done.
        self._put(item)


#: A connection that is lent: its place in the pool, itself, and what tells this loan from the next one.
_Loan = tuple[asyncpg.pool.PoolConnectionHolder, RequestConnection, asyncio.Future[None]]


class _Pool(asyncpg.Pool):  # type: ignore[misc] # asyncpg has no types
    """A pool whose callers do not wait for ever: TimeoutError after ACQUIRE_TIMEOUT_SECONDS, with nothing done.

    asyncpg takes and gives back each connection in a task, behind a proxy and with a timer, for the sake of a wait, a
    reset or an idle time that may come. Here these are there only where they are needed: together they took longer
    than to send a statement and to read its answer.
    """

    async def _initialize(self) -> None:
        await super()._initialize()
        turns = _Turns(self._maxsize)
        for holder in self._holders:
            turns.put_nowait(holder)
        self._queue = turns
        self._sweeper: asyncio.TimerHandle = self._loop.call_later(IDLE_CONNECTION_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Close connections that no request has used for long, as asyncpg would by a timer for each."""
        if self.is_closing():
            return
        used_last = self._loop.time() - IDLE_CONNECTION_SECONDS
        for holder in self._holders:
            if holder.is_idle() and holder.is_connected() and holder._con.returned_at < used_last:
                if self.get_size() <= self.get_min_size():
                    break
                holder.terminate()
        self._sweeper = self._loop.call_later(IDLE_CONNECTION_SECONDS, self._sweep)

    async def close(self) -> None:
        """Close every connection, when each has been given back."""
        self._sweeper.cancel()
        await super().close()

    def terminate(self) -> None:
        """Close every connection at once."""
        self._sweeper.cancel()
        super().terminate()

    def acquire(self) -> "_Lent":
        """Take a connection for a block, waiting for one at the most so long."""
        return _Lent(self, None)

    async def lend(self, institution_id: int | None) -> _Loan:
        """Take a connection that acts for an institution if one is named: at once, where there is one."""
        loan = await self._taken()
        connection = loan[1]
        if institution_id is not None and connection.acts_for != institution_id:
            try:
                await connection.act_for(institution_id)
            except BaseException:
                # Cancelled, or the connection is lost: it goes back all the same, and is seen to.
                await self.take_back(loan)
                raise
        return loan

    async def _taken(self) -> _Loan:
        if self._closing or self._closed:
            raise asyncpg.InterfaceError("pool is closing")
        queue = self._queue
        holder = queue.at_once()
        if holder is None:
            async with asyncio.timeout(ACQUIRE_TIMEOUT_SECONDS):
                holder = await queue.get()
        own = holder._con
        if own is not None and not own.is_closed() and holder._generation == self._generation:
            holder._in_use = self._loop.create_future()
            return holder, own, holder._in_use
        try:
            # A connection to be made, which has its own timeout.
            await holder.acquire()
        except BaseException:
            queue.put_nowait(holder)
            self._schedule_min_size_maintenance()
            raise
        return holder, holder._con, holder._in_use

    async def take_back(self, loan: _Loan) -> None:
        """Take a connection back: at once, where it was left as it was lent."""
        holder, own, in_use = loan
        if holder._in_use is not in_use:
            # It was closed meanwhile, and its place in the pool has gone on to others.
            return
        own.returned_at = self._loop.time()
        if own.is_idle() and holder._generation == self._generation:
            holder._release()
        else:
            # Of a request that is cancelled, too, the connection is put in order before others have it.
            await asyncio.shield(holder.release(None))


# Migration 0013 reads it. The third argument: for the transaction only.
_ACT_FOR = "SELECT set_config('gateway.institution_id', $1, $2)"


async def act_for(connection: asyncpg.Connection, institution_id: int) -> None:
    """Let row-level security show this institution's rows alone, until the transaction ends."""
    await connection.fetchval(_ACT_FOR, str(institution_id), True)


class _Lent:
    """A connection of the pool while a block lasts. A generator would cost more."""

    __slots__ = ("_institution_id", "_loan", "_pool")

    def __init__(self, pool: _Pool, institution_id: int | None) -> None:
        self._pool = pool
        self._institution_id = institution_id

    async def __aenter__(self) -> RequestConnection:
        self._loan = await self._pool.lend(self._institution_id)
        return self._loan[1]

    async def __aexit__(self, *_: object) -> None:
        await self._pool.take_back(self._loan)


class InstitutionPool:
    """The shared connections, for the requests of one institution: they see no other's rows.

    That is the lock behind the conditions of the statements themselves. `for_transactions` is for PgBouncer in
    transaction pooling, where whom a session acts for would be forgotten: each use is then one transaction.
    """

    __slots__ = ("_for_transactions", "_institution_id", "_pool")

    def __init__(self, pool: asyncpg.Pool, institution_id: int, *, for_transactions: bool = False) -> None:
        self._pool = pool
        self._institution_id = institution_id
        self._for_transactions = for_transactions

    def acquire(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """Take a connection that acts for the institution. Raises TimeoutError when none is to be had in time."""
        return self._transaction() if self._for_transactions else _Lent(self._pool, self._institution_id)

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
    return await _Pool(
        url,
        connection_class=connection_class,
        record_class=asyncpg.Record,
        min_size=min_size,
        max_size=max_size,
        # Statements stay prepared for as long as the connection: none is renewed for having served many.
        max_queries=2**31,
        # `_Pool` sees to it.
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
