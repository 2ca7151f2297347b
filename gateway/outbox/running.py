"""Runs a worker as a process: what it works with, and its end at SIGTERM."""

import asyncio
import logging
import signal
from contextlib import AsyncExitStack
from typing import Final

import asyncpg

from database.pool import open_pool
from database.vault import Vault
from gateway.master_key import master_key_of
from gateway.outbox.guard import transport_of
from gateway.outbox.notifying import Notifier
from gateway.outbox.parts import worker_parts_of
from gateway.outbox.posting import TaxLedger
from gateway.outbox.sending import open_client
from gateway.outbox.worker import Entrypoint, Round, house_keeping, work
from gateway.settings import Settings

#: Connections for the jobs, each of which needs one for moments; the queue has one of its own.
POOL_SIZE: Final = 4

log = logging.getLogger("gateway.worker")


async def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT. The settings have their database by now, and it is there.

    Raises what open_pool and Vault.open raise.
    """
    assert settings.database_url is not None
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    url = settings.database_url.get_secret_value()
    # What pgqueuer says of each pause before another try is said with its reason by whoever asked for it.
    logging.getLogger("pgqueuer").setLevel(logging.WARNING)
    # It tells every address, and what an address holds may be between its owner and us.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    parts = worker_parts_of(settings)
    async with AsyncExitStack() as stack:
        if parts.end is not None:
            stack.push_async_callback(parts.end)
        pool = await open_pool(
            url,
            max_size=POOL_SIZE,
            statement_timeout_seconds=settings.statement_timeout.total_seconds(),
            statement_cache_size=settings.statement_cache_size,
            connection_class=parts.connection,
        )
        stack.callback(pool.terminate)
        vault = await _vault(pool, settings)
        notifying_client = await stack.enter_async_context(open_client(transport_of(sandbox=settings.sandbox)))
        parts.carry_on(notifying_client)
        notifier = Notifier(pool, vault, notifying_client)
        entrypoints: list[Entrypoint] = [*notifier.entrypoints]
        rounds: list[Round] = [house_keeping(pool), *notifier.rounds]
        if settings.posting_url is None:
            log.warning("GATEWAY_POSTING_URL is not set: postings to the tax ledger wait")
        else:
            assert settings.posting_secret is not None
            secret = settings.posting_secret.get_secret_value()
            client = await stack.enter_async_context(open_client())
            parts.carry_on(client)
            ledger = TaxLedger(pool, vault, client, settings.posting_url, secret)
            entrypoints.append(ledger.entrypoint)
            rounds.append(ledger.sweep)
        log.info("working")
        await work(url, [*map(parts.around, entrypoints)], rounds, ending)
        log.info("ended")


async def _vault(pool: asyncpg.Pool, settings: Settings) -> Vault:
    async with pool.acquire() as connection:
        return await Vault.open(connection, master_key_of(settings))
