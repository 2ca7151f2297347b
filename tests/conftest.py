"""What every test of the database stands on: one PostgreSQL a session, one fresh database a test.

GATEWAY_TEST_DATABASE_URL names another server to test on; its role must be allowed to create databases.
"""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from database.embedded import EmbeddedPostgres
from database.migrate import migrate
from tests.databases import fresh_database

#: Files of few tests that take long each: begun first, so that no core waits for another at the end.
LONG = ("tests/model/", "tests/chaos/", "tests/acceptance/test_posting.py", "tests/oauth_clients/", "tests/fuzz/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


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
    with tempfile.TemporaryDirectory(prefix="gateway-test-") as directory:
        # Where root runs the tests, the server's own user is to reach its cluster without help.
        Path(directory).chmod(0o711)
        with EmbeddedPostgres(Path(directory)) as url:
            yield url


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """The URL of a fresh database with nothing in it."""
    with fresh_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_template(postgres_url: str) -> Iterator[str]:
    """The name of a database with every migration applied, for `database` to copy."""
    with fresh_database(postgres_url) as url:
        asyncio.run(_migrate(url))
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
def database(postgres_url: str, migrated_template: str) -> Iterator[str]:
    """The URL of a fresh database with every migration applied."""
    with fresh_database(postgres_url, template=migrated_template) as url:
        yield url


async def _migrate(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await migrate(connection)
    finally:
        await connection.close()
