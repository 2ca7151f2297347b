"""One sandbox server for each test module, on a fresh copy of the sandbox's database."""

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from database.pool import connect
from gateway.sandbox import prepare
from tests.acceptance.gateway import Server, serving
from tests.databases import fresh_database


@pytest.fixture(scope="session")
def sandbox_template(postgres_url: str, vault_key: bytes) -> Iterator[str]:
    """The name of a database with the sandbox loaded, to copy."""

    async def load(url: str) -> None:
        connection = await connect(url)
        try:
            await prepare(connection, vault_key)
        finally:
            await connection.close()

    with fresh_database(postgres_url) as url:
        asyncio.run(load(url))
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture(scope="session")
def master_key(vault_key: bytes) -> str:
    return base64.b64encode(vault_key).decode()


@pytest.fixture(scope="module")
def sandbox_database(postgres_url: str, sandbox_template: str) -> Iterator[str]:
    """The URL of this module's own sandbox database."""
    with fresh_database(postgres_url, sandbox_template) as url:
        yield url


@pytest.fixture(scope="module")
def server(sandbox_database: str, master_key: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the module's own, over its own sandbox."""
    log: Path = tmp_path_factory.mktemp("server") / "server.log"
    with serving(log, GATEWAY_DATABASE_URL=sandbox_database, GATEWAY_MASTER_KEY=master_key) as running:
        yield running
