"""/healthz: the process answers. /readyz: it can serve. /metrics: Prometheus."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import asyncpg
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from database.pool import DATABASE_AWAY
from gateway.outbox.postings import backlog

log = logging.getLogger("gateway.health")

#: A load balancer asks every few seconds: a database that takes longer is not ready.
READY_TIMEOUT_SECONDS = 2.0


def health_routes(
    pool: asyncpg.Pool, registry: CollectorRegistry, redis_answers: Callable[[], Awaitable[bool]] | None = None
) -> list[Route]:
    """Return the routes that tell how this process is; `redis_answers` is None where no Redis is configured."""

    async def alive(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(_request: Request) -> Response:
        if not await is_ready(pool):
            return PlainTextResponse("the database does not answer\n", status_code=503)
        if redis_answers is None:
            return PlainTextResponse("ready\n")
        # The gateway serves without Redis as well: it is told, and turns nobody away.
        where = "in Redis" if await redis_answers() else "in PostgreSQL, Redis does not answer"
        return PlainTextResponse(f"ready\nbudgets: {where}\n")

    async def metrics(_request: Request) -> Response:
        content = generate_latest(registry) + await _backlog(pool)
        return Response(content, media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)]


async def is_ready(pool: asyncpg.Pool) -> bool:
    """Return whether the database answers in time."""
    try:
        async with asyncio.timeout(READY_TIMEOUT_SECONDS):
            await pool.fetchval("SELECT 1")
    except (asyncpg.PostgresError, *DATABASE_AWAY):
        return False
    return True


async def _backlog(pool: asyncpg.Pool) -> bytes:
    """Return the gauges of the postings; nothing when the database does not tell in time."""
    try:
        async with asyncio.timeout(READY_TIMEOUT_SECONDS):
            found = await backlog(pool)
    except (asyncpg.PostgresError, *DATABASE_AWAY) as error:
        log.warning("no postings in the metrics: %s", type(error).__name__)
        return b""
    registry = CollectorRegistry()
    postings = Gauge("gateway_postings", "Postings not acknowledged by the tax ledger.", ["state"], registry=registry)
    postings.labels("waiting").set(found.waiting)
    postings.labels("failed").set(found.failed)
    oldest = Gauge("gateway_posting_oldest_seconds", "Age of the oldest posting not acknowledged.", registry=registry)
    oldest.set(found.oldest_seconds)
    return generate_latest(registry)
