"""One gateway process's OAuth server, its client over HTTP, and a few registered clients."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from auth import clients, institutions, keys, scopes
from auth.certificates import ClientCertificates, parse_network
from auth.changes import Changes
from auth.dpop import ProofVerifier
from auth.proofs import ProofMemory
from auth.published_keys import PublishedKeys
from auth.server import OAuthServer
from auth.signature_keys import SignatureKeys
from auth.tokens import LOOK_UP_AGAIN_SECONDS, TokenVerifier
from database.pool import connect
from database.vault import Vault
from gateway.app import guarded_client
from gateway.endpoints.bearer import Gate, OfferingNonces, Refused
from gateway.endpoints.oauth import oauth_routes

ISSUER = "https://gateway.example"
AUDIENCE = f"{ISSUER}/graphql"
GRANT = {"grant_type": "client_credentials"}


class Whoever:
    """An endpoint that tells who calls, behind the gate that all endpoints have."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            caller = await self._gate.caller_of(scope, Headers(scope=scope))
            answer = JSONResponse({"client_id": caller.client_id})
        except Refused as refusal:
            answer = JSONResponse({"message": refusal.message}, refusal.status, refusal.headers)
        await answer(scope, receive, send)


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
    gate: Gate
    signature_keys: SignatureKeys

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
async def start(pool: asyncpg.Pool, vault: Vault, database: str) -> AsyncIterator[Start]:
    """Start a process; several share the database, as workers do."""
    running = AsyncExitStack()

    async def start(
        *,
        sandbox: bool = False,
        issuer: str = ISSUER,
        proxies: str | None = None,
        jwks_http: httpx.AsyncClient | None = None,
        listen: bool = False,
        **options: Any,
    ) -> Process:
        async with pool.acquire() as connection:
            await keys.ensure_signing_key(connection, vault)
        ring = keys.KeyRing(pool, vault)
        remember = {"remember_seconds": LOOK_UP_AGAIN_SECONDS}
        verifier = TokenVerifier(issuer=issuer, keys=ring, pool=pool, sandbox=sandbox, **(remember | options))
        signature_keys = SignatureKeys(pool)
        changes = Changes(lambda: connect(database), verifier, signature_keys) if listen else None
        if changes:
            await running.enter_async_context(changes.heard())
            await changes.listening()
        outside = jwks_http
        if outside is None:
            outside = await running.enter_async_context(guarded_client(sandbox=sandbox))
        proofs = ProofVerifier(issuer, await ProofMemory.open(pool, vault.derived_key("dpop nonce")))
        certificates = ClientCertificates(trusted_proxies=[parse_network(proxies)] if proxies else [])
        server = OAuthServer(
            issuer=issuer,
            pool=pool,
            keys=ring,
            verifier=verifier,
            proofs=proofs,
            sandbox=sandbox,
            published_keys=PublishedKeys(outside, sandbox=sandbox),
            certificates=certificates,
            changes=changes,
        )
        gate = Gate(verifier, proofs, certificates)
        app = Starlette(routes=[*oauth_routes(server), Route("/graphql", OfferingNonces(Whoever(gate), proofs))])
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=issuer)
        await running.enter_async_context(http)
        return Process(verifier, server, http, gate, signature_keys)

    async with running:
        yield start


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
