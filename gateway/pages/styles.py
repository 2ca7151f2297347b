"""The pages' style sheets, and the policy that lets a browser use them and nothing else (CSP Level 3)."""

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Style:
    """A style sheet that stands in its page, and the source that allows it: the hash of its text."""

    text: Markup
    source: str


def sheet(*names: str) -> str:
    """Return these files of the pages' as one style sheet."""
    return "".join(files("gateway.pages").joinpath(name).read_text(encoding="utf-8") for name in names)


def style(*names: str) -> Style:
    """Return these files of the pages' as a style sheet that stands in its page."""
    text = sheet(*names)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Style(Markup(text), f"'sha256-{digest}'")  # noqa: S704 -- files of ours


#: What every page of page.html has.
PAGE: Final = style("ground.css", "page.css")


def policy(*styles: str) -> str:
    """Return the policy of a page: styles of these sources, its own forms, and nothing else."""
    sources = " ".join(styles)
    return f"default-src 'none'; style-src {sources}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
