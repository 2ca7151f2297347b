"""The ASGI app: wires settings, database, keys and endpoints together."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import httpx
import structlog
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from auth.certificates import ClientCertificates
from auth.changes import Changes
from auth.dpop import ProofVerifier
from auth.keys import KeyRing, ensure_signing_key
from auth.proofs import ProofMemory
from auth.published_keys import PublishedKeys
from auth.server import OAuthServer
from auth.signature_keys import SignatureKeys
from auth.signatures import RequestSignature
from auth.tokens import UNHEARD_SECONDS, Caller, TokenVerifier
from contributions.problems import BadInput
from database.migrate import missing
from database.pool import DATABASE_AWAY, InstitutionPool, connect, open_pool, passes_row_security
from database.vault import Vault
from gateway.admission import Admission
from gateway.budgets import Budgets
from gateway.channels.calls import own_client
from gateway.channels.routes import channel_routes
from gateway.developer.routes import Developer, developer_routes
from gateway.endpoints.bearer import OfferingNonces
from gateway.endpoints.graphql import GraphQLEndpoint
from gateway.endpoints.health import health_routes
from gateway.endpoints.oauth import oauth_routes
from gateway.endpoints.receipts import ReceiptsEndpoint
from gateway.endpoints.settlements import SettlementsEndpoint
from gateway.endpoints.signing import MessageSigning
from gateway.endpoints.verify import voucher_routes
from gateway.execution.documents import DocumentStore
from gateway.learning import learning
from gateway.logs import configure_logs
from gateway.lookups import watched_lookups
from gateway.master_key import master_key_of
from gateway.metrics import Metrics, MetricsMiddleware
from gateway.operations.numbers import NumberReader
from gateway.operations.page import OperatorPage
from gateway.operations.session import Sessions
from gateway.outbox.guard import transport_of
from gateway.parts import Parts, parts_of
from gateway.settings import Settings
from gateway.vouchers import certificates as voucher_certificates
from gateway.vouchers.certificates import SigningCertificate
from gateway.vouchers.desk import VoucherDesk
from resolvers.call import Call
from schema import messages
from schema.context import Context
from schema.contract import schema
from schema.scopes import needs_of_field

if TYPE_CHECKING:
    from gateway.redis_budgets import RedisBudgets

Started = TypeVar("Started")

log = structlog.get_logger()


class NotReady(Exception):
    """The database is not what this version needs; the message says what to run."""


def create_app() -> ASGIApp:
    """Return the app of one worker, from the environment: what uvicorn calls in each of its processes."""
    settings = Settings()
    configure_logs(settings.log_level)
    return make_app(settings)


def make_app(settings: Settings) -> ASGIApp:
    """Return the app for these settings; `database_url` and `public_url` are given by now."""
    metrics = Metrics()
    parts = parts_of(settings)
    app = MetricsMiddleware(Gateway(settings, metrics, parts), metrics)
    return app if parts.around is None else parts.around(app)


class Gateway:
    """The app of one worker: operations go straight to their endpoint, and all else to Starlette's router."""

    def __init__(self, settings: Settings, metrics: Metrics, parts: Parts) -> None:
        #: By path, what is there once the app has started. A router looks at one route after the other.
        self.direct: dict[str, ASGIApp] = {}
        self.routed = Starlette(lifespan=lambda _app: _lifespan(self, settings, metrics, parts))
        # /graphql/ is no path of ours: a redirect would send a token wherever a Host header says.
        self.routed.router.redirect_slashes = False

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request, or live through the server's start and end."""
        endpoint = self.direct.get(scope["path"], self.routed) if scope["type"] == "http" else self.routed
        return endpoint(scope, receive, send)


@asynccontextmanager
async def _lifespan(app: Gateway, settings: Settings, metrics: Metrics, parts: Parts) -> AsyncIterator[None]:
    assert settings.database_url is not None
    assert settings.public_url is not None
    master_key = master_key_of(settings)
    pool = await _waiting(lambda: _pool(settings, parts))

    async def started() -> tuple[Vault, ASGIApp, list[Route], AsyncExitStack]:
        async with AsyncExitStack() as begun:
            vault = await _vault(master_key, pool)
            graphql, routes = await _endpoints(metrics, settings, pool, vault, parts, begun)
            return vault, graphql, routes, begun.pop_all()

    try:
        async with AsyncExitStack() as running:
            if parts.end is not None:
                running.push_async_callback(parts.end)
            # The database may be lost at any moment of the start, which is then made anew.
            vault, graphql, routes, begun = await _waiting(started)
            await running.enter_async_context(begun)
            app.direct["/graphql"] = graphql
            app.routed.router.routes.extend(routes)
            # What is there now stays for good: the collector need never look at it again.
            gc.collect()
            gc.freeze()
            gc.set_threshold(COLLECTED_FROM)
            await running.enter_async_context(learning(vault, pool))
            yield
    finally:
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT_SECONDS):
                await pool.close()
        except TimeoutError:
            pool.terminate()


async def _pool(settings: Settings, parts: Parts) -> asyncpg.Pool:
    assert settings.database_url is not None
    return await open_pool(
        settings.database_url.get_secret_value(),
        max_size=settings.pool_size,
        statement_timeout_seconds=settings.statement_timeout.total_seconds(),
        statement_cache_size=settings.statement_cache_size,
        connection_class=parts.connection,
    )


async def _waiting(start: Callable[[], Awaitable[Started]]) -> Started:
    """Start something, again while the database is away: a worker that fails to start ends the whole server."""
    give_up_at = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            return await start()
        except DATABASE_AWAY:
            if time.monotonic() > give_up_at:
                raise
            await asyncio.sleep(START_PAUSE_SECONDS)


#: A worker that takes the place of a dead one may find PostgreSQL being started again, or failing over.
START_TIMEOUT_SECONDS = 60.0
START_PAUSE_SECONDS = 0.25

#: So many objects that may be part of a cycle, more than there were at the last look, before the collector looks again.
#: Its own 700 are those of some requests under way at once: it would look every third request, and find no cycle.
COLLECTED_FROM = 10_000

#: What a statement under way may still take when the server is told to end; its own timeout is shorter.
DRAIN_TIMEOUT_SECONDS = 15.0


async def _vault(master_key: bytes, pool: asyncpg.Pool) -> Vault:
    async with pool.acquire() as connection:
        behind = await missing(connection)
        if behind:
            raise NotReady(f"The database lacks the migrations {', '.join(behind)}. Run: gateway migrate")
        if await passes_row_security(connection):
            log.warning("the database's role passes row-level security: give the gateway one that is no superuser")
        vault = await Vault.open(connection, master_key)
        await ensure_signing_key(connection, vault)
    return vault


async def _endpoints(
    metrics: Metrics, settings: Settings, pool: asyncpg.Pool, vault: Vault, parts: Parts, running: AsyncExitStack
) -> tuple[ASGIApp, list[Route]]:
    keys = KeyRing(pool, vault, settings.signing_key_lifetime)
    assert settings.database_url is not None
    database_url = settings.database_url.get_secret_value()
    assert settings.public_url is not None
    issuer = settings.public_url
    verifier = TokenVerifier(issuer=issuer, keys=keys, pool=pool, sandbox=settings.sandbox)
    proofs = ProofVerifier(issuer, await ProofMemory.open(pool, vault.derived_key("dpop nonce")))
    certificates = ClientCertificates(
        trusted_proxies=settings.trusted_proxies or (), header=settings.client_certificate_header
    )
    gate = parts.gate(verifier, proofs, certificates)
    signature_keys = SignatureKeys(pool)
    oauth = OAuthServer(
        issuer=issuer,
        pool=pool,
        keys=keys,
        verifier=verifier,
        proofs=proofs,
        sandbox=settings.sandbox,
        published_keys=PublishedKeys(
            await running.enter_async_context(guarded_client(sandbox=settings.sandbox)), sandbox=settings.sandbox
        ),
        certificates=certificates,
        changes=await _changes(settings, verifier, signature_keys, running),
    )

    lookups = watched_lookups(settings, metrics)
    signing = MessageSigning(f"{issuer}/graphql", signature_keys, keys)

    @lru_cache(maxsize=256)  # there are fewer
    def pool_of(institution_id: int) -> InstitutionPool:
        return InstitutionPool(pool, institution_id, for_transactions=settings.statement_cache_size == 0)

    def make_context(caller: Caller, accept_language: str | None, signature: RequestSignature | None) -> Context:
        call = Call(
            caller,
            pool_of(caller.institution_id),
            vault,
            settings.today(),
            settings.quote_ttl,
            sandbox=settings.sandbox,
            signature=signature,
            lookups=lookups,
        )
        return Context(call, messages.negotiate(accept_language), issuer)

    core = schema._schema
    hide_suggestions = not settings.introspectable
    documents = DocumentStore(
        core,
        needs_of_field,
        hide_suggestions=hide_suggestions,
        introspectable=settings.introspectable,
    )
    runner = parts.runner(core, word_exception, hide_suggestions=hide_suggestions)
    shares = Budgets(pool)
    redis = await _redis(settings, shares, metrics, running)
    graphql = GraphQLEndpoint(
        parts.documents(documents, pool),
        shares if redis is None else redis,
        runner,
        gate,
        make_context,
        Admission(settings.max_operations),
        signing,
        budget=settings.client_budget,
    )
    settlements = SettlementsEndpoint(gate, database_url, settings.today, issuer)
    desk = running.enter_context(VoucherDesk(issuer, await _voucher_certificate(settings, pool, vault)))
    receipts = ReceiptsEndpoint(gate, pool, desk, for_transactions=settings.statement_cache_size == 0)
    return OfferingNonces(graphql, proofs), [
        *oauth_routes(oauth),
        *health_routes(pool, metrics.registry, None if redis is None else redis.check),
        Route("/settlements/{date}", OfferingNonces(settlements, proofs)),
        Route("/receipts/{number}.pdf", OfferingNonces(receipts, proofs)),
        *voucher_routes(pool, settings.trusted_proxies or ()),
        *OperatorPage(
            oauth,
            verifier,
            Sessions(vault),
            NumberReader(pool, metrics.registry, settings.today),
            settings.trusted_proxies or (),
        ).routes(),
        *developer_routes(
            Developer(issuer, settings.sandbox, settings.introspectable, settings.today),
            pool,
            oauth,
            settings.trusted_proxies or (),
        ),
        *(channel_routes(await running.enter_async_context(own_client())) if settings.sandbox else ()),
    ]


async def _redis(
    settings: Settings, shares: Budgets, metrics: Metrics, running: AsyncExitStack
) -> "RedisBudgets | None":
    """Return the budgets in Redis, where one is configured."""
    if settings.redis_url is None:
        return None
    from gateway.redis_budgets import budgets_in_redis  # takes a tenth of a second, and loads what few have

    url = settings.redis_url.get_secret_value()
    return await running.enter_async_context(
        budgets_in_redis(url, shares, metrics.redis_failures, timeout_seconds=settings.redis_timeout.total_seconds())
    )


async def _voucher_certificate(settings: Settings, pool: asyncpg.Pool, vault: Vault) -> SigningCertificate | None:
    if settings.voucher_certificate is not None and settings.voucher_key is not None:
        try:
            configured = voucher_certificates.read_certificate(settings.voucher_certificate, settings.voucher_key)
        except ValueError as error:
            raise NotReady(str(error)) from error
        await voucher_certificates.use(pool, configured)
        return configured
    if settings.sandbox:
        return await voucher_certificates.sandbox_certificate(pool, vault)
    log.warning("vouchers are unsigned: GATEWAY_VOUCHER_CERTIFICATE is not set")
    return None


async def _changes(
    settings: Settings, verifier: TokenVerifier, signature_keys: SignatureKeys, running: AsyncExitStack
) -> Changes | None:
    """Have changes heard while the app runs. None behind PgBouncer, where nobody can listen: memory is short then."""
    if settings.statement_cache_size == 0:
        verifier.remember_for(UNHEARD_SECONDS)
        signature_keys.remember_for(UNHEARD_SECONDS)
        return None
    assert settings.database_url is not None
    database_url = settings.database_url.get_secret_value()
    changes = Changes(lambda: connect(database_url, application_name="gateway listener"), verifier, signature_keys)
    await running.enter_async_context(changes.heard())
    return changes


def guarded_client(*, sandbox: bool) -> httpx.AsyncClient:
    """Return an HTTP client for URLs of others: outside the sandbox it connects to public addresses alone."""
    return httpx.AsyncClient(transport=transport_of(sandbox=sandbox), trust_env=False, follow_redirects=False)


def word_exception(exception: BaseException) -> tuple[str, str, dict[str, Any]] | None:
    """Return how an exception is told to the caller: code, message and more. None: a fault of ours."""
    match exception:
        case BadInput(field=field):
            return "BAD_USER_INPUT", str(exception), {"field": field}
        case asyncpg.QueryCanceledError() | asyncpg.LockNotAvailableError() | TimeoutError():
            # Whether a statement that was given up has run is not known here: repeating it is safe and tells.
            return "TRY_AGAIN", "The gateway could not finish in time. Send the same again.", {}
        case _ if isinstance(exception, DATABASE_AWAY):
            return "TRY_AGAIN", "The gateway lost its database. Send the same again.", {}
    return None
