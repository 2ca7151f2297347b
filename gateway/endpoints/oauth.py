"""The OAuth endpoints over HTTP: forms in, JSON out. What is decided is decided in auth/server.py."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl

import anyio
import asyncpg
import structlog
from authlib.oauth2.rfc6749 import InvalidRequestError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from auth.grants import UNCACHED, Answer, refusal
from auth.server import OAuthServer
from database.pool import DATABASE_AWAY

log = structlog.get_logger()

# The longest form is a token to introspect, 2 KiB, with a client's assertion, 4 KiB.
_BODY_BYTES_MAX: Final = 16 * 1024

# RFC 6749, 7009, 7521 and 7662 have fewer parameters in all.
_PARAMETERS_MAX: Final = 16

# A form is one packet or two: who takes longer is holding the connection, not sending.
_BODY_SECONDS_MAX: Final = 10

# Keys and metadata change seldom, and a retired key stays published for far longer than a copy is kept.
_PUBLIC: Final = {"Cache-Control": "public, max-age=300"}

_Endpoint = Callable[[Mapping[str, str], Mapping[str, str], str | None], Awaitable[Answer]]


def oauth_routes(server: OAuthServer) -> list[Route]:
    """Return the routes of the OAuth server: token, revocation, introspection, metadata and keys."""

    async def metadata(request: Request) -> Response:
        return JSONResponse(server.metadata(), headers=_PUBLIC)

    async def published_keys(request: Request) -> Response:
        return JSONResponse(await server.published_keys(), headers=_PUBLIC, media_type="application/jwk-set+json")

    return [
        Route("/oauth/token", _form_endpoint(server.token), methods=["POST"]),
        Route("/oauth/revoke", _form_endpoint(server.revoke), methods=["POST"]),
        Route("/oauth/introspect", _form_endpoint(server.introspect), methods=["POST"]),
        Route("/.well-known/oauth-authorization-server", metadata, methods=["GET"]),
        Route("/.well-known/jwks.json", published_keys, methods=["GET"]),
    ]


def _form_endpoint(decide: _Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            peer = request.client.host if request.client else None
            answer = await decide(request.headers, await _form(request), peer)
        except InvalidRequestError as error:
            answer = refusal(error)
        except (asyncpg.QueryCanceledError, *DATABASE_AWAY) as error:
            log.error("no answer to an OAuth client", exc_info=error)
            answer = Answer(503, {"error": "temporarily_unavailable"}, {**UNCACHED, "Retry-After": "5"})
        return JSONResponse(answer.body, answer.status, answer.headers)

    return endpoint


async def _form(request: Request) -> dict[str, str]:
    """Read the parameters. One without a value counts as left out (RFC 6749, 3.2).

    Raises InvalidRequestError for what is no form, too long, too slow, or says a thing twice.
    """
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise InvalidRequestError("the body must be application/x-www-form-urlencoded")
    if len(request.headers.getlist("Authorization")) > 1:
        raise InvalidRequestError("more than one Authorization header")
    body = await _body(request)
    try:
        parameters = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_PARAMETERS_MAX,
        )
    except ValueError as error:
        raise InvalidRequestError("the body is no form, or has too many parameters") from error
    form = dict(parameters)
    if len(form) < len(parameters):
        raise InvalidRequestError("a parameter is repeated")
    return {name: value for name, value in form.items() if value}


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        with anyio.fail_after(_BODY_SECONDS_MAX):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _BODY_BYTES_MAX:
                    raise InvalidRequestError(f"the body is over {_BODY_BYTES_MAX} bytes", status_code=413)
    except TimeoutError as error:
        raise InvalidRequestError("the body took too long", status_code=408) from error
    return bytes(body)
