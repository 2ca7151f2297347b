"""The pages' HTML: templates and a style sheet of their own, on the ground of all pages."""

import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

from jinja2 import PackageLoader
from starlette.requests import Request
from starlette.responses import Response

from gateway.channels.calls import Exchange
from gateway.channels.screens import Screen
from gateway.channels.texts import Texts
from gateway.channels.ways import Channel
from gateway.pages import environment, origin, page_headers, render
from gateway.pages.styles import policy, sheet

_STYLE: Final = sheet("ground.css") + files("gateway.channels").joinpath("channels.css").read_text(encoding="utf-8")
#: In the style sheet's address, so that a browser may keep it for as long as it is this one.
_STYLE_VERSION: Final = hashlib.sha256(_STYLE.encode()).hexdigest()[:16]

_templates: Final = environment(PackageLoader("gateway.channels", "templates"))


async def style(_request: Request) -> Response:
    """Answer the style sheet."""
    return Response(_STYLE, media_type="text/css", headers={"cache-control": "public, max-age=31536000, immutable"})


def response(
    screen: Screen,
    locale: str,
    *,
    path: str,
    switch: str | None,
    repeated: Mapping[str, str] | None = None,
    channel: Channel | None = None,
    module: str = "",
    exchanges: Sequence[Exchange] = (),
) -> Response:
    """Return a page. `switch` leads to it in the other language; None: the form with `repeated` does."""
    html = render(
        screen.template,
        locale,
        templates=_templates,
        t=Texts(locale),
        style_version=_STYLE_VERSION,
        path=path,
        switch=switch,
        repeated=repeated or {},
        channel=channel,
        module=module,
        exchanges=exchanges,
        **screen.values,
    )
    headers = page_headers(locale, {"content-security-policy": policy("'self'"), **origin.SAID})
    return Response(html, screen.status, headers)
