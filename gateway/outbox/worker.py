"""The worker: takes jobs from the queue in PostgreSQL (pgqueuer) and does what comes round every so often.

The queue only says when to look at what: the table that a job's id is of (`postings`) says whether it is done. So a
job may run twice, and one that got lost is enqueued again by a round that looks for what waits without one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import asyncpg
from pgqueuer import Job, QueueManager, RetryRequested
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

from database.pool import DATABASE_AWAY, connect

#: Between two looks at the queue: nobody is told when a job comes.
POLL: Final = timedelta(seconds=1)
#: Jobs that one look takes.
BATCH: Final = 20
#: Jobs under way in one worker, nearly all of them waiting for somebody's answer.
MAX_JOBS: Final = 60
#: A picked job whose worker has said nothing for so long is taken by another. A worker says something at half of it.
HEARTBEAT_TIMEOUT: Final = timedelta(seconds=6)
#: Until a job that an outage or a fault of ours broke off is tried again.
BROKEN_OFF_DELAY: Final = timedelta(seconds=5)
#: Until a database that went away is asked for again.
AWAY_PAUSE_SECONDS: Final = 1.0
#: A statement of the queue's own takes milliseconds; one that takes so long has lost its server.
COMMAND_TIMEOUT_SECONDS: Final = 15.0

HOUSE_KEEPING_SECONDS: Final = 60.0
#: pgqueuer's log has two lines or more for each job, and is there for whoever looks into a fault of today.
LOG_KEPT: Final = timedelta(hours=6)
#: Lines that go in one round: as many as 400 jobs a second write.
LOG_LINES_REMOVED: Final = 100_000
# "sweep" in ASCII: a one-key advisory lock above every payer's id.
ROUNDS_LOCK: Final = 495924372848

log = logging.getLogger("gateway.worker")


@dataclass(frozen=True, slots=True)
class Entrypoint:
    """What is done with the queue's jobs of this name, whose payload is a row's id in decimal.

    `handle` returns None when the row needs no more, or the pause until it is to be handled again.
    """

    name: str
    handle: Callable[[int], Awaitable[timedelta | None]]


@dataclass(frozen=True, slots=True)
class Round:
    """What is done every so often; when it fails, that is logged, and it is done again at the next time."""

    name: str
    every_seconds: float
    work: Callable[[], Awaitable[None]]


async def work(
    database_url: str, entrypoints: Sequence[Entrypoint], rounds: Sequence[Round], ending: asyncio.Event
) -> None:
    """Work until `ending` is set, and finish what is under way. A database that goes away is waited for.

    Whatever `handle` does must end by itself within seconds: nothing here cuts it off, since pgqueuer takes a job
    that is cancelled out of the queue. Raises RuntimeError when the queue's tables are not as they should be.
    """
    going = [asyncio.create_task(_go_round(each, ending), name=each.name) for each in rounds]
    try:
        while not ending.is_set():
            try:
                await _take_jobs(database_url, entrypoints, ending)
            except DATABASE_AWAY:
                log.warning("the database is away")
                await _pause(ending, AWAY_PAUSE_SECONDS)
    finally:
        ending.set()
        await asyncio.gather(*going)


async def _take_jobs(database_url: str, entrypoints: Sequence[Entrypoint], ending: asyncio.Event) -> None:
    connection = await connect(
        database_url, application_name="gateway worker", command_timeout_seconds=COMMAND_TIMEOUT_SECONDS
    )
    try:
        if not entrypoints:
            await ending.wait()
            return
        manager = QueueManager(Queries(AsyncpgDriver(connection)))
        for entrypoint in entrypoints:
            manager.entrypoint(entrypoint.name, accepts_context=False)(_handler(entrypoint))
        running = asyncio.create_task(
            manager.run(
                dequeue_timeout=POLL,
                batch_size=BATCH,
                max_concurrent_tasks=MAX_JOBS,
                heartbeat_timeout=HEARTBEAT_TIMEOUT,
                # Its statistics are nobody's: the tables of what was sent have more to say.
                log_aggregation_interval=timedelta(0),
            )
        )
        told = asyncio.create_task(ending.wait())
        await asyncio.wait((running, told), return_when=asyncio.FIRST_COMPLETED)
        # Takes nothing new, and waits for the jobs that it has.
        manager.shutdown.set()
        told.cancel()
        await running
    finally:
        connection.terminate()


def _handler(entrypoint: Entrypoint) -> Callable[[Job], Awaitable[None]]:
    """Return the handler as pgqueuer wants it: no exception reaches it, which it would keep, words and all."""

    async def handle(job: Job) -> None:
        assert job.payload is not None
        delay: timedelta | None = BROKEN_OFF_DELAY
        try:
            delay = await entrypoint.handle(int(job.payload))
        except DATABASE_AWAY:
            log.warning("%s %s: the database went away", entrypoint.name, job.payload.decode())
        except Exception:
            log.exception("%s %s", entrypoint.name, job.payload.decode())
        if delay is not None:
            raise RetryRequested(delay)

    return handle


async def _go_round(each: Round, ending: asyncio.Event) -> None:
    while not ending.is_set():
        try:
            await each.work()
        except DATABASE_AWAY:
            log.warning("%s: the database is away", each.name)
        except Exception:
            log.exception("%s", each.name)
        await _pause(ending, each.every_seconds)


async def _pause(ending: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await ending.wait()
    except TimeoutError:
        return


def house_keeping(pool: asyncpg.Pool) -> Round:
    """Return the round that keeps pgqueuer's log from growing for ever."""

    async def keep() -> None:
        await pool.execute(
            """
            DELETE FROM pgqueuer_log AS l
            USING (
                SELECT o.id FROM pgqueuer_log AS o WHERE o.created < now() - $1::interval ORDER BY o.created LIMIT $2
            ) AS old
            WHERE l.id = old.id
            """,
            LOG_KEPT,
            LOG_LINES_REMOVED,
        )

    return Round("house-keeping", HOUSE_KEEPING_SECONDS, keep)
