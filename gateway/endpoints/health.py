"""/healthz: the process answers. /readyz: it can serve. /metrics: Prometheus."""

import asyncio

import asyncpg
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from database.pool import DATABASE_AWAY

#: A load balancer asks every few seconds: a database that takes longer is not ready.
READY_TIMEOUT_SECONDS = 2.0


def health_routes(pool: asyncpg.Pool, registry: CollectorRegistry) -> list[Route]:
    """Return the routes that tell how this process is."""

    async def alive(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(_request: Request) -> Response:
        try:
            async with asyncio.timeout(READY_TIMEOUT_SECONDS):
                await pool.fetchval("SELECT 1")
        except (asyncpg.PostgresError, *DATABASE_AWAY):
            return PlainTextResponse("the database does not answer\n", status_code=503)
        return PlainTextResponse("ready\n")

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)]
