"""Running servers come to know data keys that were made since they started."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import structlog

from database.data_keys import LEARN_SECONDS
from database.pool import DATABASE_AWAY
from database.vault import Vault, WrongMasterKey

log = structlog.get_logger("gateway.keys")


@asynccontextmanager
async def learning(vault: Vault, pool: asyncpg.Pool, *, every_seconds: float = LEARN_SECONDS) -> AsyncIterator[None]:
    """Let the vault look for new data keys while the block runs."""
    task = asyncio.create_task(_learn(vault, pool, every_seconds), name="data-keys")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _learn(vault: Vault, pool: asyncpg.Pool, every_seconds: float) -> None:
    while True:
        await asyncio.sleep(every_seconds)
        try:
            async with pool.acquire() as connection:
                await vault.learn(connection)
        except WrongMasterKey:
            # What was known goes on opening and sealing; the next look tells again.
            log.error("a new data key is wrapped by another master key: restart with it")
        except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
            log.warning("could not look for new data keys", reason=type(error).__name__)
