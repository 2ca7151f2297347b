"""The developer's pages over HTTP: /, /docs, /graphiql, /reference and what they load.

/graphiql, /reference and the SDL are there where the schema can be asked for (GATEWAY_INTROSPECTION); the sandbox's
token for GraphiQL in the sandbox alone. Where they are not, they are 404 and no page leads to them.
"""

import datetime
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urlencode

import asyncpg
import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from auth.certificates import Network
from auth.server import OAuthServer
from database.sandbox import clients
from gateway.developer import assets, codes, guide, reference
from gateway.developer.examples import DEFAULT_CLIENT, examples
from gateway.developer.texts import TEXTS
from gateway.developer.tokens import TokenDesk
from gateway.endpoints.health import is_ready
from gateway.pages import locale_of, page_headers, render
from gateway.pages.styles import PAGE, policy
from gateway.peers import client_of
from gateway.throttle import Throttle, Throttled

#: Searches of one address in a minute. Each is some milliseconds' work; the script of the page asks for none.
SEARCHES_PER_MINUTE: Final = 60
#: They change with the version alone; what lies between a reader and the gateway need not keep them for long.
_FOR_A_WHILE: Final = "public, max-age=300"
_STYLES: Final = ("'self'", PAGE.source)
_SCRIPTS: Final = "; script-src 'self'"
_POLICY: Final = policy(*_STYLES) + _SCRIPTS


@dataclass(frozen=True, slots=True)
class Developer:
    """What the pages tell of this installation. `issuer` is the address that the world knows it by."""

    issuer: str
    sandbox: bool
    introspectable: bool
    today: Callable[[], datetime.date]


def developer_routes(
    told: Developer, pool: asyncpg.Pool, oauth: OAuthServer, trusted_proxies: Sequence[Network]
) -> list[Route]:
    """Return the routes that this installation has."""
    pages = DeveloperPages(told, pool, trusted_proxies)
    routes = [
        Route("/", pages.home, methods=["GET"]),
        Route("/reference/problems", pages.problems, methods=["GET"]),
        Route("/docs", _guide_begins, methods=["GET"]),
        Route("/docs/{name}", pages.guide, methods=["GET"]),
        Route("/docs/images/{name}", _picture, methods=["GET"]),
        Route(assets.PATH, assets.asset, methods=["GET"]),
    ]
    if told.introspectable:
        routes += [
            Route("/reference", pages.reference, methods=["GET"]),
            Route("/reference/schema.graphql", _schema, methods=["GET"]),
            Route("/graphiql", pages.graphiql, methods=["GET"]),
            Route("/graphiql/examples.json", _examples, methods=["GET"]),
        ]
    if told.introspectable and told.sandbox:
        routes.append(Route("/graphiql/token", TokenDesk(oauth, trusted_proxies).answer, methods=["POST"]))
    return routes


class DeveloperPages:
    """The pages, for one process: their throttle is its own."""

    def __init__(self, told: Developer, pool: asyncpg.Pool, trusted_proxies: Sequence[Network]) -> None:
        self._told = told
        self._pool = pool
        self._trusted_proxies = tuple(trusted_proxies)
        self._addresses = Throttle(SEARCHES_PER_MINUTE)

    async def home(self, request: Request) -> Response:
        """Answer what this is, how it is now, and where to go on."""
        ready = await is_ready(self._pool)
        values = {
            "ready": ready,
            "version": version("contribution-gateway"),
            "business_date": self._told.today().isoformat(),
            "clients": clients() if self._told.sandbox else (),
            "client": DEFAULT_CLIENT,
        }
        return self._page(request, "home", "developer_home.html", values)

    async def guide(self, request: Request) -> Response:
        """Answer a page of the guide."""
        try:
            page = guide.page(request.path_params["name"], _chosen(request))
        except KeyError:
            return PlainTextResponse("There is no such page.\n", 404)
        values = {"page": page, "titles": guide.titles()}
        more = {"content-security-policy": f"{_POLICY}; img-src 'self'"}
        return self._page(request, "guide", "developer_guide.html", values, headers=more)

    async def problems(self, request: Request) -> Response:
        """Answer the codes of refusals and errors."""
        locale = _locale(request)
        values = {
            "problem_codes": codes.problem_codes(locale),
            "next_actions": codes.next_actions(locale),
            "error_codes": codes.error_codes(locale),
        }
        return self._page(request, "problems", "developer_problems.html", values)

    async def reference(self, request: Request) -> Response:
        """Answer the whole schema, or what the reader's words are found in."""
        query = request.query_params.get("q", "").strip()[: reference.MAX_QUERY_LENGTH]
        status, headers, found = 200, {}, reference.entries()
        if query:
            peer = request.client.host if request.client else None
            try:
                self._addresses.take(client_of(peer, request.headers, self._trusted_proxies))
                found = tuple(reference.search(query))
            except Throttled as throttled:
                status, headers, found = 429, {"retry-after": str(throttled.retry_after_seconds)}, ()
        values = {
            "entries": found,
            "names": _names(),
            "kinds": reference.KINDS,
            "query": query,
            "throttled": status == 429,
        }
        return self._page(request, "reference", "developer_reference.html", values, status, headers, {"q": query})

    async def graphiql(self, request: Request) -> Response:
        """Answer the page of GraphiQL; what it shows is the script's."""
        nonce = secrets.token_urlsafe(16)
        values = {
            "nonce": nonce,
            "examples": examples(),
            "clients": clients() if self._told.sandbox else (),
            "client": examples()[0].client,
        }
        # Dialogs of GraphiQL put a style element into the page, which has the nonce: neither an inline style nor a
        # script that somebody has brought in has it. Its icons are data: of its style sheet.
        allowed = policy(*_STYLES, f"'nonce-{nonce}'") + f"{_SCRIPTS}; img-src 'self' data:; connect-src 'self'"
        more = {"content-security-policy": allowed}
        return self._page(request, "graphiql", "developer_graphiql.html", values, headers=more)

    def _page(
        self,
        request: Request,
        current: str,
        template: str,
        values: dict[str, Any],
        status: int = 200,
        headers: dict[str, str] | None = None,
        kept: dict[str, str] | None = None,
    ) -> Response:
        """Return a page; `kept` is what its address keeps in the other language."""
        locale = _locale(request)
        other = {
            "lang": "zh" if locale == "en" else "en",
            **{name: value for name, value in (kept or {}).items() if value},
        }
        page = render(
            template,
            locale,
            t=TEXTS[locale],
            told=self._told,
            current=current,
            asset=assets.path_of,
            chosen=_chosen(request),
            other_url=f"{request.url.path}?{urlencode(other)}",
            **values,
        )
        return Response(page, status, page_headers(locale, {"content-security-policy": _POLICY, **(headers or {})}))


def _locale(request: Request) -> str:
    return locale_of(request.query_params.get("lang"), request.headers.get("accept-language"))


def _chosen(request: Request) -> str:
    """Return what links keep of the language that the reader chose."""
    lang = request.query_params.get("lang")
    return f"?lang={lang}" if lang in ("zh", "en") else ""


async def _guide_begins(request: Request) -> Response:
    return RedirectResponse(f"/docs/{guide.PAGES[0]}{_chosen(request)}", 307, {"cache-control": "no-store"})


async def _picture(request: Request) -> Response:
    picture = guide.pictures().get(request.path_params["name"])
    if picture is None:
        return PlainTextResponse("There is no such picture.\n", 404)
    headers = {"cache-control": _FOR_A_WHILE, "etag": picture.etag}
    if picture.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(picture.content, media_type="image/png", headers=headers)


@cache
def _names() -> frozenset[str]:
    """Return the names that a link can lead to."""
    return frozenset(entry.name for entry in reference.entries())


async def _schema(_request: Request) -> Response:
    return PlainTextResponse(reference.sdl(), headers={"cache-control": _FOR_A_WHILE})


async def _examples(_request: Request) -> Response:
    content = [
        {"name": one.name, "client": one.client, "query": one.query, "variables": one.variables} for one in examples()
    ]
    return Response(orjson.dumps(content), media_type="application/json", headers={"cache-control": _FOR_A_WHILE})
