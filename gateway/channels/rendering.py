"""The pages' HTML: templates, the style sheet and the policy that allows nothing else."""

import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from gateway.channels.calls import Exchange
from gateway.channels.screens import Screen
from gateway.channels.texts import ACCEPT_LANGUAGE, Texts
from gateway.channels.ways import Channel

_STYLE: Final = files("gateway.channels").joinpath("channels.css").read_bytes()
#: In the style sheet's address, so that a browser may keep it for as long as it is this one.
_STYLE_VERSION: Final = hashlib.sha256(_STYLE).hexdigest()[:16]

#: Our own style sheet and our own forms, and nothing else: no script, no image, no frame (CSP Level 3).
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_environment: Final = Environment(
    loader=PackageLoader("gateway.channels", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


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
    language = ACCEPT_LANGUAGE[locale]
    common: dict[str, Any] = {
        "t": Texts(locale),
        "language": language,
        "lang": "en" if locale == "en" else "zh",
        "other": "zh" if locale == "en" else "en",
        "style_version": _STYLE_VERSION,
        "path": path,
        "switch": switch,
        "repeated": repeated or {},
        "channel": channel,
        "module": module,
        "exchanges": exchanges,
    }
    html = _environment.get_template(screen.template).render(common | dict(screen.values))
    headers = {
        "content-language": language,
        "content-security-policy": CONTENT_SECURITY_POLICY,
        # With no-referrer a browser would not say of which origin a form is.
        "referrer-policy": "same-origin",
        "vary": "accept-language",
    }
    return Response(html, screen.status, headers, "text/html")
