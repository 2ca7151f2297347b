"""One sandbox server for each test module, on a fresh copy of the sandbox's database."""

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from database.pool import connect
from gateway.sandbox import prepare
from tests.acceptance.gateway import Client, Server, serving
from tests.acceptance.people import Office, Person
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


@pytest.fixture
def sandbox_copy(postgres_url: str, sandbox_template: str) -> Iterator[str]:
    """The URL of one test's own sandbox database."""
    with fresh_database(postgres_url, sandbox_template) as url:
        yield url


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


@pytest.fixture(scope="module")
def settings(sandbox_database: str, master_key: str) -> dict[str, str]:
    """What a command beside the module's server is given."""
    return {"GATEWAY_DATABASE_URL": sandbox_database, "GATEWAY_MASTER_KEY": master_key}


@pytest.fixture(scope="module")
def tomorrow(server: Server, settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same gateway on the next business day."""
    log = tmp_path_factory.mktemp("tomorrow") / "server.log"
    with serving(log, GATEWAY_BUSINESS_DATE="2020-11-17", **settings) as running:
        yield running


@pytest.fixture(scope="module")
def later(tomorrow: Server) -> Client:
    """The counter of `abc` on that day."""
    return tomorrow.client("abc-counter")


@pytest.fixture(scope="module")
def office(sandbox_database: str, master_key: str, tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(sandbox_database, master_key, tmp_path_factory.mktemp("office"))


@pytest.fixture(scope="module")
def people(office: Office) -> Iterator[Person]:
    """Newcomers who owe every month, more than any module's tests need."""
    return office.crowd(60)


@pytest.fixture(scope="module")
def icbc(server: Server) -> Client:
    return server.client("icbc-mobile")


@pytest.fixture(scope="module")
def abc(server: Server) -> Client:
    return server.client("abc-counter")


@pytest.fixture(scope="module")
def tax(server: Server) -> Client:
    return server.client("tax-window")


@pytest.fixture(scope="module")
def si(server: Server) -> Client:
    return server.client("social-insurance-agency")
