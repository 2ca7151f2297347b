"""The GraphQL documents of the channels' pages: files that a bank's developer can take over as they are."""

from functools import cache
from importlib.resources import files

from gateway.demo.client import document as guides_document


@cache
def document(name: str) -> str:
    """Return the text of one of them, by the name of its file: the guide's, where the pages have none of their own."""
    own = files("gateway.channels").joinpath("documents", f"{name}.graphql")
    return own.read_text(encoding="utf-8") if own.is_file() else guides_document(name)
