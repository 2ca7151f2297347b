"""The guide: those pages of docs/ that a bank's developer reads, as HTML.

`gateway/pages/docs` is a link to the folder docs/, so that the package holds it: there is one source.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

#: In the order in which they are read. The operator's pages are not for those who come by the internet.
PAGES: Final = (
    "getting-started",
    "developer",
    "tokens",
    "paying",
    "problems",
    "graphql",
    "settlement",
    "notifications",
    "signatures",
    "vouchers",
    "channels",
    "agencies",
    "reliability",
)

_IMAGE: Final = re.compile(r"images/([a-z0-9-]+\.png)")
_NOT_IN_ANCHORS: Final = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class GuidePage:
    """A page as HTML that is safe: the Markdown's own HTML is shown as text."""

    name: str
    title: str
    html: Markup


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG that a page shows."""

    content: bytes
    etag: str


def titles() -> Sequence[tuple[str, str]]:
    """Return the name and the title of every page."""
    return tuple((name, page(name, "").title) for name in PAGES)


@cache
def page(name: str, query: str) -> GuidePage:
    """Return a page; `query` is what links to other pages keep, "" or "?lang=…". Raises KeyError for none of ours."""
    if name not in PAGES:
        raise KeyError(name)
    text = _directory().joinpath(f"{name}.md").read_text(encoding="utf-8")
    tokens = _markdown.parse(text)
    for token in _all(tokens):
        _adapt(token, query)
    _name_headings(tokens)
    _label_cells(tokens)
    title = next(inline.content for opened, inline in pairwise(tokens) if opened.tag == "h1")
    return GuidePage(name, title, Markup(_markdown.renderer.render(tokens, _markdown.options, {})))  # noqa: S704


@cache
def pictures() -> Mapping[str, Picture]:
    """Return the pictures that the pages show, by their file's name."""
    shown: set[str] = set()
    for name in PAGES:
        shown.update(_IMAGE.findall(_directory().joinpath(f"{name}.md").read_text(encoding="utf-8")))
    contents = {name: _directory().joinpath("images", name).read_bytes() for name in sorted(shown)}
    return {
        name: Picture(content, f'"{hashlib.sha256(content).hexdigest()[:16]}"') for name, content in contents.items()
    }


def _directory() -> Any:
    return files("gateway.pages").joinpath("docs")


def _fence(_self: object, tokens: Sequence[Token], place: int, _options: object, _environment: object) -> str:
    # What is wider than the screen is scrolled by the keys as well.
    return f'<pre tabindex="0"><code>{escape(tokens[place].content)}</code></pre>\n'


_markdown: Final = MarkdownIt("commonmark", {"html": False}).enable("table")
_markdown.add_render_rule("fence", _fence)


def _all(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or ())


def _adapt(token: Token, query: str) -> None:
    """Lead links and pictures to where they are served; a link to what is not served here is its text alone."""
    if token.type == "link_open":
        href = _served(str(token.attrs["href"]), query)
        del token.attrs["href"]
        if href is not None:
            token.attrs["href"] = href
    elif token.type == "image":
        match = _IMAGE.fullmatch(str(token.attrs["src"]))
        token.attrs["src"] = f"/docs/images/{match[1]}" if match else ""
    elif "style" in token.attrs:
        # The page's policy has no inline style; the only one is a column's alignment.
        token.attrs["class"] = str(token.attrs.pop("style")).removeprefix("text-align:")


def _served(href: str, query: str) -> str | None:
    parts = urlsplit(href)
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    if not parts.scheme and not parts.netloc and not parts.path:
        return fragment
    name = parts.path.removesuffix(".md")
    return f"/docs/{name}{query}{fragment}" if not parts.scheme and name in PAGES else None


def _name_headings(tokens: Sequence[Token]) -> None:
    """Give each heading the anchor that the links of docs/ have for it, GitHub's."""
    for opened, inline in pairwise(tokens):
        if opened.type == "heading_open":
            opened.attrs["id"] = _NOT_IN_ANCHORS.sub("", inline.content.lower()).replace(" ", "-")


def _label_cells(tokens: Sequence[Token]) -> None:
    """Give each cell its column's heading: on a phone, rows are blocks of cells."""
    headings: list[str] = []
    column = 0
    for opened, inline in pairwise(tokens):
        match opened.type:
            case "table_open":
                headings = []
            case "tr_open":
                column = 0
            case "th_open":
                headings.append(inline.content.replace("`", ""))
            case "td_open":
                opened.attrs["data-label"] = headings[column]
                column += 1
