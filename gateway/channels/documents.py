"""The GraphQL documents of the channels' pages: files that a bank's developer can take over as they are."""

from functools import cache
from importlib.resources import files


@cache
def document(name: str) -> str:
    """Return the text of one of them, by the name of its file."""
    return files("gateway.channels").joinpath("documents", f"{name}.graphql").read_text(encoding="utf-8")
