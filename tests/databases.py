"""Fresh databases on the test session's PostgreSQL."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import asyncpg


@contextmanager
def fresh_database(postgres_url: str, template: str = "template1") -> Iterator[str]:
    """Give the URL of a new copy of a template database, dropped at the end."""
    # The process id keeps the names of parallel test processes on one server apart.
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    asyncio.run(_execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE {template}"))
    try:
        yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    finally:
        asyncio.run(_drop(postgres_url, name))


def fetch(url: str, query: str, *arguments: object) -> list[asyncpg.Record]:
    """Return the rows of a query, over a connection of its own."""

    async def run() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close()

    return asyncio.run(run())


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _drop(postgres_url: str, name: str) -> None:
    try:
        await _execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")
    except asyncpg.InsufficientPrivilegeError:
        # FORCE may not end an autovacuum worker, which is the superuser's; the plain statement sends it away.
        await _execute(postgres_url, f"DROP DATABASE {name}")
