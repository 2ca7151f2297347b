"""Pages for people: HTML from templates, in Chinese or English, without a script or anything of another address."""

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from schema import messages

_CSS: Final = files("gateway.pages").joinpath("page.css").read_text(encoding="utf-8")
_CSS_HASH: Final = base64.b64encode(hashlib.sha256(_CSS.encode()).digest()).decode()

#: The page's own style and its own form, and nothing else (CSP Level 3).
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_CSS_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_LANGUAGES: Final = {"zh_CN": "zh-CN", "en": "en"}
#: What `?lang=` says.
_LOCALES: Final = {"zh": "zh_CN", "en": "en"}

_environment: Final = Environment(
    loader=PackageLoader("gateway", "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def locale_of(lang: str | None, accept_language: str | None) -> str:
    """Return the locale of a page: what the reader chose, or what the browser prefers among ours."""
    return _LOCALES.get(lang or "") or messages.negotiate(accept_language)


def render(template: str, locale: str, **values: Any) -> bytes:
    """Return a page. The template is given the values, `language` (RFC 5646), and `other`, the `lang` of the other."""
    return (
        _environment.get_template(template)
        .render(
            css=Markup(_CSS),  # noqa: S704 -- a file of ours
            language=_LANGUAGES[locale],
            lang="en" if locale == "en" else "zh",
            other="zh" if locale == "en" else "en",
            **values,
        )
        .encode()
    )


def page_headers(locale: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the headers of a page's answer."""
    return {
        "content-type": "text/html; charset=utf-8",
        "content-language": _LANGUAGES[locale],
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "vary": "accept-language",
        **(more or {}),
    }
