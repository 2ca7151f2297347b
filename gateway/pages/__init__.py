"""Pages for people: HTML from templates, in Chinese or English, without anything of another address.

All stand on one ground (ground.html, ground.css), whose words are in both languages.
"""

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined

from gateway.pages.styles import PAGE, policy
from gateway.pages.texts import COMMON, HOTLINES
from schema import messages

#: How a locale is told to browsers (RFC 5646).
LANGUAGES: Final[Mapping[str, str]] = {"zh_CN": "zh-CN", "en": "en"}
#: What `?lang=` says.
_LOCALES: Final = {"zh": "zh_CN", "en": "en"}


def environment(*loaders: BaseLoader) -> Environment:
    """Return an environment of templates: those of the loaders, and these pages' own."""
    made = Environment(
        loader=ChoiceLoader([*loaders, PackageLoader("gateway", "pages")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {"css": PAGE.text, "hotlines": HOTLINES}
    return made


_environment: Final = environment()


def locale_of(lang: str | None, accept_language: str | None) -> str:
    """Return the locale of a page: what the reader chose, or what the browser prefers among ours."""
    return _LOCALES.get(lang or "") or messages.negotiate(accept_language)


def render(template: str, locale: str, *, templates: Environment = _environment, **values: Any) -> bytes:
    """Return a page. The template is given the values, `language` (RFC 5646), and `other`, the `lang` of the other."""
    return (
        templates.get_template(template)
        .render(
            common=COMMON[locale],
            language=LANGUAGES[locale],
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
        "content-language": LANGUAGES[locale],
        "content-security-policy": policy(PAGE.source),
        "vary": "accept-language",
        **(more or {}),
    }
