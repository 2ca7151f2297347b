"""The headers that every answer has: nothing here is a page to frame, a script to run, or a thing to keep."""

from collections.abc import Awaitable, Sequence
from functools import lru_cache
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Set where the endpoint has set none of that name: keys and metadata may be kept, and a page may style itself.
STRICT: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    # For browsers that know nothing of frame-ancestors, and against pages of elsewhere that would load an answer.
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

_STRICT_NAMES = frozenset(name for name, _ in STRICT)

#: A year, as OWASP has it. Not for subdomains: those are not ours to speak for.
HSTS = ("strict-transport-security", "max-age=31536000")


def transport_headers(public_url: str | None) -> list[tuple[str, str]]:
    """Return what is added to every answer where the world reaches the gateway by https."""
    return [HSTS] if public_url is not None and public_url.startswith("https://") else []


def raw_head(headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return these headers and the strict ones as they stand in an answer that no app has made."""
    given = {name.lower() for name, _ in headers}
    lines = [*headers, *(line for line in STRICT if line[0] not in given)]
    return b"".join(name + b": " + value + b"\r\n" for name, value in lines)


class StrictHeaders:
    """Wraps a whole app, with what it answers to unknown paths and to its own faults."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on, and complete the head of its answer."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)

        def completed(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                headers = message.get("headers", [])
                # A tuple is what many answers have (gateway/answering.py): one that is completed stays one.
                strict = _completed_head(headers) if headers.__class__ is tuple else [*headers, *_missing(headers)]
                message = {**message, "headers": strict}
            return send(message)

        return self._app(scope, receive, completed)


def _missing(headers: Sequence[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    """Return the strict headers of which the name is not there."""
    given = {name.lower() for name, _ in headers}
    return STRICT if given.isdisjoint(_STRICT_NAMES) else tuple(line for line in STRICT if line[0] not in given)


@lru_cache(maxsize=64)  # the endpoints that answer with a tuple have two
def _completed_head(headers: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[bytes, bytes], ...]:
    return (*headers, *_missing(headers))


class RequestHeaders(Headers):
    """The headers of a request that is asked for some of them: looked through once, and not for each."""

    def __init__(self, scope: Scope) -> None:
        # What Starlette's own methods read.
        self._list = raw = scope["headers"]
        self._values: dict[bytes, bytes] = dict(raw)
        self._repeats = len(self._values) < len(raw)
        if self._repeats:
            # Of a name that is there more than once, the first.
            self._values = dict(reversed(raw))

    def get(self, key: str, default: Any = None) -> Any:
        """Return the first value of this name, or the default: a header that is not there is no exception."""
        value = self._values.get(_name(key))
        return default if value is None else value.decode("latin-1")

    def __contains__(self, key: object) -> bool:
        """Whether there is a header of this name."""
        return isinstance(key, str) and _name(key) in self._values

    def __getitem__(self, key: str) -> str:
        """Return the first value of this name. Raises KeyError."""
        return self._values[_name(key)].decode("latin-1")

    def getlist(self, key: str) -> list[str]:
        """Return every value of this name, in order."""
        if self._repeats:
            return super().getlist(key)
        value = self._values.get(_name(key))
        return [] if value is None else [value.decode("latin-1")]


@lru_cache(maxsize=256)  # the names that this program asks for, which are fewer
def _name(key: str) -> bytes:
    """Return a name as ASGI has it."""
    return key.lower().encode("latin-1")
