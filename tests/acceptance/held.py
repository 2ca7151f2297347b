"""A person's lock in PostgreSQL, held by a test: whatever moves this person's money waits meanwhile."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

WAIT_SECONDS = 20.0


def ask(url: str, sql: str, *arguments: Any) -> Any:
    """Return one value of the database."""

    async def fetch() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql, *arguments)
        finally:
            await connection.close()

    return asyncio.run(fetch())


@contextmanager
def held_payers(url: str) -> Iterator[threading.Event]:
    """Hold the lock of every person until the event is set, or the block ends."""
    holding, release = threading.Event(), threading.Event()

    async def hold() -> None:
        connection = await asyncpg.connect(url)
        try:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock(id) FROM payers")
                holding.set()
                await asyncio.to_thread(release.wait)
        finally:
            await connection.close()

    holder = threading.Thread(target=lambda: asyncio.run(hold()))
    holder.start()
    try:
        assert holding.wait(WAIT_SECONDS)
        yield release
    finally:
        release.set()
        holder.join()


def wait_for_waiters(url: str, count: int) -> None:
    """Wait until so many statements wait for a lock in this database."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    give_up_at = time.monotonic() + WAIT_SECONDS
    while (found := ask(url, waiting)) != count:
        assert time.monotonic() < give_up_at, f"{found} statements wait in place of {count}"
        time.sleep(0.02)
