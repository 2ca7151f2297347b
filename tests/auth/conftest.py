"""One gateway process's OAuth server, its client over HTTP, and a few registered clients."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
from starlette.applications import Starlette

from auth import clients, institutions, keys, scopes
from auth.dpop import ProofVerifier
from auth.proofs import ProofMemory
from auth.server import OAuthServer
from auth.tokens import TokenVerifier
from database.vault import Vault
from gateway.endpoints.oauth import oauth_routes

ISSUER = "https://gateway.example"
AUDIENCE = f"{ISSUER}/graphql"
GRANT = {"grant_type": "client_credentials"}


class Clock:
    """The seconds since 1970, as a test has them."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Process:
    """What one gateway process has of OAuth."""

    verifier: TokenVerifier
    server: OAuthServer
    http: httpx.AsyncClient

    async def token(self, client: tuple[str, str], **parameters: str) -> str:
        answer = await self.http.post("/oauth/token", data=GRANT | parameters, auth=client)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


def is_refused(answer: httpx.Response, status: int, error: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert set(answer.json()) <= {"error", "error_description"}
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


Start = Callable[..., Awaitable[Process]]


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=5) as pool:
        yield pool


@pytest.fixture
async def vault(pool: asyncpg.Pool, vault_key: Any) -> Vault:
    async with pool.acquire() as connection:
        return await Vault.open(connection, vault_key)


@pytest.fixture
async def start(pool: asyncpg.Pool, vault: Vault) -> AsyncIterator[Start]:
    """Start a process; several share the database, as workers do."""
    started: list[httpx.AsyncClient] = []

    async def start(*, sandbox: bool = False, issuer: str = ISSUER, **options: Any) -> Process:
        async with pool.acquire() as connection:
            await keys.ensure_signing_key(connection, vault)
        ring = keys.KeyRing(pool, vault)
        verifier = TokenVerifier(issuer=issuer, keys=ring, pool=pool, sandbox=sandbox, **options)
        proofs = ProofVerifier(issuer, await ProofMemory.open(pool, vault.derived_key("dpop nonce")))
        server = OAuthServer(issuer=issuer, pool=pool, keys=ring, verifier=verifier, proofs=proofs, sandbox=sandbox)
        app = Starlette(routes=oauth_routes(server))
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=issuer)
        started.append(http)
        return Process(verifier, server, http)

    yield start
    for http in started:
        await http.aclose()


@pytest.fixture
async def process(start: Start) -> Process:
    return await start()


@pytest.fixture
async def banks(pool: asyncpg.Pool) -> None:
    await institutions.add(pool, "ICBC", "中国工商银行", "BANK")
    await institutions.add(pool, "ABC", "中国农业银行", "BANK")


@pytest.fixture
async def icbc(pool: asyncpg.Pool, banks: None) -> tuple[str, str]:
    """A client of ICBC's with the retail scopes: its id and its secret."""
    return await clients.register(pool, "ICBC", "MOBILE_BANKING", scopes.RETAIL, client_id="icbc-app")


@pytest.fixture
async def abc(pool: asyncpg.Pool, banks: None) -> tuple[str, str]:
    """A client of ABC's with the counter scopes: its id and its secret."""
    return await clients.register(pool, "ABC", "COUNTER", scopes.COUNTER, client_id="abc-desk")
