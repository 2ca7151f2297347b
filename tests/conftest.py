"""What every test of the database stands on: one PostgreSQL a session, one fresh database a test.

GATEWAY_TEST_DATABASE_URL names another server to test on; its role must be allowed to create databases.
"""

import asyncio
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from database.embedded import EmbeddedPostgres
from database.migrate import migrate


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def vault_key() -> bytes:
    """The master key of every test's database."""
    return bytes(range(32))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a running server's maintenance database."""
    configured = os.environ.get("GATEWAY_TEST_DATABASE_URL")
    if configured:
        yield configured
        return
    with (
        tempfile.TemporaryDirectory(prefix="gateway-test-") as directory,
        EmbeddedPostgres(Path(directory)) as url,
    ):
        yield url


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """The URL of a fresh database with nothing in it."""
    with _fresh_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_template(postgres_url: str) -> Iterator[str]:
    """The name of a database with every migration applied, for `database` to copy."""
    with _fresh_database(postgres_url) as url:
        asyncio.run(_migrate(url))
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
def database(postgres_url: str, migrated_template: str) -> Iterator[str]:
    """The URL of a fresh database with every migration applied."""
    with _fresh_database(postgres_url, template=migrated_template) as url:
        yield url


@contextmanager
def _fresh_database(postgres_url: str, template: str = "template1") -> Iterator[str]:
    # The process id keeps the names of parallel test processes on one server apart.
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    asyncio.run(_execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE {template}"))
    try:
        yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    finally:
        asyncio.run(_drop(postgres_url, name))


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


async def _migrate(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await migrate(connection)
    finally:
        await connection.close()
