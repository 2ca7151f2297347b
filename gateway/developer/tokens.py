"""POST /graphiql/token: a token of a sandbox's client for the page /graphiql, whose reader has no secret of it.

In the sandbox alone. The answer is the token endpoint's own, so whatever that refuses is refused here.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import asyncpg
import orjson
import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from auth.certificates import Network
from auth.grants import Answer
from auth.server import OAuthServer
from database.pool import DATABASE_AWAY
from database.sandbox import CLIENT_SECRET, clients
from gateway.pages.origin import is_own
from gateway.peers import client_of
from gateway.throttle import Throttle, Throttled

#: A client's id in JSON is a tenth of it.
MAX_BODY_BYTES: Final = 1024
#: It is one packet.
BODY_TIMEOUT_SECONDS: Final = 10.0
#: Tokens for one address in a minute: a reader who goes through all clients takes one of each. Each costs a hash.
TOKENS_PER_MINUTE: Final = 30

log = structlog.get_logger()


class TokenDesk:
    """The endpoint, for one process: its throttle is its own."""

    def __init__(self, oauth: OAuthServer, trusted_proxies: Sequence[Network]) -> None:
        self._oauth = oauth
        self._trusted_proxies = tuple(trusted_proxies)
        self._clients = frozenset(client.id for client in clients())
        self._addresses = Throttle(TOKENS_PER_MINUTE)

    async def answer(self, request: Request) -> Response:
        """Answer one request of the page's own script."""
        if not is_own(request.headers, unsaid=False):
            return _refused(403, "access_denied", "This is for the page /graphiql of this very address.")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return _refused(415, "invalid_request", "The body must be application/json.")
        try:
            peer = request.client.host if request.client else None
            self._addresses.take(client_of(peer, request.headers, self._trusted_proxies))
            body = await _body(request)
        except Throttled as throttled:
            refused = _refused(429, "slow_down", "Too many tokens for one address.")
            refused.headers["retry-after"] = str(throttled.retry_after_seconds)
            return refused
        except TimeoutError:
            return _refused(408, "invalid_request", "The body did not arrive in time.")
        if body is None:
            return _refused(413, "invalid_request", f"The body is larger than {MAX_BODY_BYTES} bytes.")
        client_id = _client_of(body)
        if client_id not in self._clients:
            return _refused(400, "invalid_client", "client: must be one of the sandbox's.")
        return await self._token(client_id)

    async def _token(self, client_id: str) -> Response:
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": CLIENT_SECRET}
        try:
            given: Answer = await self._oauth.token(Headers(), form)
        except (asyncpg.QueryCanceledError, *DATABASE_AWAY) as error:
            log.error("no token for GraphiQL", exc_info=error)
            return _refused(503, "temporarily_unavailable", "The database does not answer.")
        return JSONResponse(given.body, given.status, given.headers)


async def _body(request: Request) -> bytes | None:
    """Return the body, None for one that is too large. Raises TimeoutError."""
    body = bytearray()
    async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BODY_BYTES:
                return None
    return bytes(body)


def _client_of(body: bytes) -> str:
    """Return the client that was chosen, "" for a body that chooses none."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    chosen = content.get("client") if isinstance(content, dict) else None
    return chosen if isinstance(chosen, str) else ""


def _refused(status: int, error: str, description: str) -> JSONResponse:
    return JSONResponse({"error": error, "error_description": description}, status)
