"""Static files of the pages, each under a name that holds its content's hash, and so to be kept for good."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

#: Where the files are asked for.
PATH: Final = "/static/developer/{name}"
#: A name stands for these very bytes: another content has another name (RFC 8246).
IMMUTABLE: Final = "public, max-age=31536000, immutable"
#: Smaller ones fit one packet as they are.
_COMPRESSED_FROM_BYTES: Final = 1400
#: Hexadecimal digits of the hash that stand in a name: 64 bits, of files that are all ours.
_DIGITS: Final = 16

_FILES: Final = {
    "developer.css": ("developer.css", "text/css; charset=utf-8"),
    "reference.js": ("reference.js", "text/javascript; charset=utf-8"),
    "graphiql.js": ("graphiql/graphiql.js", "text/javascript; charset=utf-8"),
    "graphiql.css": ("graphiql/graphiql.css", "text/css; charset=utf-8"),
    "graphiql-licences.txt": ("graphiql/LICENCES.txt", "text/plain; charset=utf-8"),
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its content, and the same compressed where that is shorter."""

    content: bytes
    compressed: bytes | None
    media_type: str
    etag: str
    path: str


@cache
def _asset(name: str) -> Asset:
    file, media_type = _FILES[name]
    content = files("gateway.pages").joinpath("static", file).read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:_DIGITS]
    stem, _, ending = name.rpartition(".")
    compressed = gzip.compress(content, mtime=0) if len(content) >= _COMPRESSED_FROM_BYTES else None
    return Asset(content, compressed, media_type, f'"{digest}"', PATH.format(name=f"{stem}-{digest}.{ending}"))


def path_of(name: str) -> str:
    """Return the path at which a file is served. Raises KeyError for none of ours."""
    return _asset(name).path


@cache
def _by_path() -> dict[str, Asset]:
    return {asset.path: asset for asset in map(_asset, _FILES)}


async def asset(request: Request) -> Response:
    """Answer a file: 304 to who has it, 404 where its content has another name by now."""
    found = _by_path().get(request.url.path)
    if found is None:
        return PlainTextResponse("There is no such file.\n", 404)
    headers = {"cache-control": IMMUTABLE, "etag": found.etag, "vary": "accept-encoding"}
    if found.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    content = found.content
    if found.compressed is not None and _takes_gzip(request.headers.get("accept-encoding", "")):
        content = found.compressed
        headers["content-encoding"] = "gzip"
    return Response(content, media_type=found.media_type, headers=headers)


def _takes_gzip(accept_encoding: str) -> bool:
    """Return whether gzip is named and not refused (RFC 9110, 12.5.3)."""
    for entry in accept_encoding.lower().split(","):
        coding, _, weight = entry.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
