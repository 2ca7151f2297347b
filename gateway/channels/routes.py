"""/sandbox: the routes of the channels' pages, which exist in the sandbox alone."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import urlencode

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.channels import counter, paying, rendering, vouchers
from gateway.channels.calls import Session, Tokens, Told, Unanswered
from gateway.channels.forms import Fields, read
from gateway.channels.people import people
from gateway.channels.screens import Missing, Screen, Visit
from gateway.channels.ways import CHANNELS, WAYS, Channel
from gateway.pages import LANGUAGES, locale_of
from gateway.pages.forms import BadForm
from gateway.peers import url_of

ROOT: Final = "/sandbox"

_MODULES: Final[Mapping[str, Callable[[Visit], Awaitable[Screen]]]] = {
    **dict.fromkeys(WAYS, paying.pay),
    "receipts": vouchers.receipts,
    "day": counter.day,
    "settlement": counter.settlement,
}


def channel_routes(http: httpx.AsyncClient) -> list[Route]:
    """Return the routes, over the HTTP client that calls this server itself."""
    pages = ChannelPages(Tokens(http))
    return [
        Route(ROOT, pages.index, methods=["GET"]),
        Route(f"{ROOT}/channels.css", rendering.style, methods=["GET"]),
        Route(f"{ROOT}/{{channel}}", pages.channel, methods=["GET"]),
        Route(f"{ROOT}/{{channel}}/receipts/{{number}}.pdf", pages.voucher, methods=["GET"]),
        Route(f"{ROOT}/{{channel}}/{{module}}", pages.module, methods=["GET", "POST"]),
    ]


class ChannelPages:
    """The pages, for one process: the channels' tokens are its own."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def index(self, request: Request) -> Response:
        """Answer the list of the channels."""
        locale = locale_of(request.query_params.get("lang"), request.headers.get("accept-language"))
        screen = Screen("index.html", {"channels": CHANNELS.values(), "people": people()})
        return rendering.response(screen, locale, path=ROOT, switch=_query({}, locale))

    async def channel(self, request: Request) -> Response:
        """Answer a channel's first page: its client, and its modules."""

        async def screen(visit: Visit) -> Screen:
            return Screen("channel.html", await visit.session.run("viewer"))

        return await self._answer(request, "", screen)

    async def module(self, request: Request) -> Response:
        """Answer a step of a module."""
        name = request.path_params["module"]
        channel = CHANNELS.get(request.path_params["channel"])
        if channel is None or name not in channel.modules:
            return _not_found()
        return await self._answer(request, name, _MODULES[name])

    async def voucher(self, request: Request) -> Response:
        """Answer a voucher."""
        channel = CHANNELS.get(request.path_params["channel"])
        if channel is None:
            return _not_found()
        try:
            session = self._session(request, channel, "zh_CN")
            return await vouchers.voucher(session, request.path_params["number"], request.method)
        except Missing:
            return _not_found()
        except Unanswered:
            return PlainTextResponse("The gateway did not answer. Try again.\n", 503)

    async def _answer(self, request: Request, module: str, screen_of: Callable[[Visit], Awaitable[Screen]]) -> Response:
        channel = CHANNELS.get(request.path_params["channel"])
        if channel is None:
            return _not_found()
        try:
            fields = await read(request)
        except BadForm as bad:
            return PlainTextResponse("This is no form of the sandbox's.\n", bad.status, {"connection": "close"})
        locale = locale_of(fields.pop("lang", None), request.headers.get("accept-language"))
        session = self._session(request, channel, locale)
        sent = request.method == "POST"
        try:
            screen = await screen_of(Visit(channel, module, fields, session, sent))
        except BadForm as bad:
            return PlainTextResponse("This is no form of the sandbox's.\n", bad.status)
        except Missing:
            screen = Screen("missing.html", status=404)
        except Told as told:
            screen = Screen("told.html", {"told": told})
        except Unanswered:
            screen = Screen("unanswered.html", status=503)
        return rendering.response(
            screen,
            locale,
            path=request.url.path,
            # A page that a form led to has no address: the same form leads there in the other language, since each
            # of its steps can be repeated.
            switch=None if sent else _query(fields, locale),
            repeated=fields if sent else Fields(),
            channel=channel,
            module=module,
            exchanges=session.exchanges,
        )

    def _session(self, request: Request, channel: Channel, locale: str) -> Session:
        # Where this very connection came in: no Host header says so, and whatever stands before us is passed by.
        host, port = request.scope["server"]
        return Session(self._tokens, channel, url_of(host, port), LANGUAGES[locale])


def _query(fields: Mapping[str, str], locale: str) -> str:
    return "?" + urlencode({**fields, "lang": "zh" if locale == "en" else "en"})


def _not_found() -> Response:
    return PlainTextResponse("There is no such page.\n", 404)
