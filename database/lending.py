"""Lends the connections that requests share: in turn, and with no more ado than each loan needs.

It knows the inside of asyncpg, which is pinned; tests/database/test_lending.py holds what is relied on.
"""

import asyncio
from collections import deque
from typing import Any

import asyncpg

# A request that finds every connection taken for so long finds the server too busy, and is told so.
ACQUIRE_TIMEOUT_SECONDS = 5
# A connection that no request has used for so long is closed, and another opened when one is needed.
IDLE_CONNECTION_SECONDS = 300

# Migration 0013 reads it. The third argument: for the transaction only.
ACT_FOR = "SELECT set_config('gateway.institution_id', $1, $2)"


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
        await self.fetchval(ACT_FOR, str(institution_id), False)
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
    begins to wait anew, behind all others. And a timer for each who waits takes as long as all the rest of its turn.
    """

    def __init__(self, maxsize: int) -> None:
        super().__init__(maxsize)
        self._clock = asyncio.get_running_loop()
        #: With the time until which each waits.
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def at_once(self) -> Any:
        """Take one that is open before one that is not; None where there is none."""
        return self._get() if self._queue else None

    async def get(self) -> Any:
        """Take one, in turn. Raises TimeoutError after ACQUIRE_TIMEOUT_SECONDS."""
        if self._queue:
            return self._get()
        turn = self._clock.create_future()
        until = self._clock.time() + ACQUIRE_TIMEOUT_SECONDS
        self._waiting.append((until, turn))
        if self._timer is None:
            self._timer = self._clock.call_at(until, self._expire)
        try:
            return await turn
        except BaseException:
            # Cancelled: perhaps just when it was given one.
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.put_nowait(turn.result())
            raise

    def put_nowait(self, item: Any) -> None:
        """Give one back."""
        while self._waiting:
            _, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(item)
                return
        # There is a place for each, and nobody waits for the queue to be done.
        self._put(item)

    def _expire(self) -> None:
        """Tell those who have waited too long, and see to the next one in time."""
        now = self._clock.time()
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= now):
            _, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(TimeoutError())
        self._timer = self._clock.call_at(self._waiting[0][0], self._expire) if self._waiting else None


#: A connection that is lent: its place in the pool, itself, and what tells this loan from the next one.
Loan = tuple[asyncpg.pool.PoolConnectionHolder, RequestConnection, asyncio.Future[None]]


class Pool(asyncpg.Pool):  # type: ignore[misc] # asyncpg has no types
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

    def acquire(self) -> "Lent":
        """Take a connection for a block, waiting for one at the most so long."""
        return Lent(self, None)

    async def lend(self, institution_id: int | None) -> Loan:
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

    async def _taken(self) -> Loan:
        if self._closing or self._closed:
            raise asyncpg.InterfaceError("pool is closing")
        queue = self._queue
        holder = queue.at_once()
        if holder is None:
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

    async def take_back(self, loan: Loan) -> None:
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


class Lent:
    """A connection of the pool while a block lasts. A generator would cost more."""

    __slots__ = ("_institution_id", "_loan", "_pool")

    def __init__(self, pool: Pool, institution_id: int | None) -> None:
        self._pool = pool
        self._institution_id = institution_id

    async def __aenter__(self) -> RequestConnection:
        self._loan = await self._pool.lend(self._institution_id)
        return self._loan[1]

    async def __aexit__(self, *_: object) -> None:
        await self._pool.take_back(self._loan)
