"""An answer that comes in one piece leaves in one piece.

uvicorn writes the head of an answer and its body each by itself, and either is a call of the kernel that wakes the
client: together the second largest part of a small answer's time, after the question to PostgreSQL.
"""

from collections.abc import Awaitable, Generator, Iterable
from typing import Any, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

from gateway.headers import STRICT

#: In an exchange's scope: the body of a request that has arrived whole, so that nothing of it is to be waited for.
BODY = "gateway.body"

Headers = Iterable[tuple[bytes, bytes]]

#: Headers that hold nothing of any one answer.
_KNOWN = frozenset(
    (
        *STRICT,
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-type", b"application/graphql-response+json; charset=utf-8"),
    )
)
#: Heads of nothing but such headers, by their status too: which come together in a few ways.
_known_heads: dict[tuple[int, tuple[tuple[bytes, bytes], ...]], bytes] = {}
#: What says how the answer is sent: uvicorn's to look at.
_SENDING = frozenset({b"connection", b"transfer-encoding", b"content-length"})


class Answering:
    """Stands between one exchange of uvicorn's and the app, and sends what the app sends.

    The head waits for the body. If that is the whole of it, both are written together; anything else, and whatever is
    not as HTTP has it, goes on to uvicorn as it came. An app that gives its headers as a tuple has the same for many
    answers, and leaves it to us to say how long each is.
    """

    __slots__ = ("_app", "_cycle", "_start")

    def __init__(self, app: ASGIApp, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle
        self._start: Message | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Let the app answer."""
        cycle = self._cycle
        if not cycle.more_body and not cycle.disconnected:
            scope[BODY] = bytes(cycle.body)
        return self._app(scope, receive, self.send)

    def send(self, message: Message) -> Awaitable[None]:
        """Send what the app says, when there is enough of it."""
        cycle, start = self._cycle, self._start
        if start is None:
            if message["type"] != "http.response.start" or cycle.response_started:
                return cycle.send(message)  # type: ignore[arg-type] # uvicorn types its messages
            self._start = message
            return _SENT
        self._start = None
        whole = _whole(start, message, cycle)
        if whole is None:
            return _by_uvicorn(cycle, start, message)
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(whole)
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
        return _SENT


class _Sent:
    """What need not be waited for: a coroutine that does nothing takes longer."""

    def __await__(self) -> Generator[Any, Any, None]:
        return _NOTHING


#: An iterator that is at its end is all that `await` needs.
_NOTHING = cast(Generator[Any, Any, None], iter(()))
_SENT = _Sent()


async def _by_uvicorn(cycle: RequestResponseCycle, start: Message, end: Message) -> None:
    if start.get("headers").__class__ is tuple and not end.get("more_body"):
        start = {**start, "headers": [*start["headers"], _length(end)]}
    await cycle.send(start)  # type: ignore[arg-type]
    await cycle.send(end)  # type: ignore[arg-type]


def _whole(start: Message, end: Message, cycle: RequestResponseCycle) -> bytes | None:
    """Return the bytes of an answer with a body of known length and nothing unusual about it, else None."""
    if (
        end["type"] != "http.response.body"
        or end.get("more_body")
        or cycle.access_log
        or cycle.disconnected
        or cycle.flow.write_paused
        or cycle.scope["method"] == "HEAD"
    ):
        return None
    status, headers = start["status"], start.get("headers", [])
    body = end.get("body", b"")
    if headers.__class__ is tuple:
        head = _known_heads.get((status, headers)) or _known_head(status, headers)
        lines: bytes | None = b"content-length: %d\r\n" % len(body)
    else:
        head = STATUS_LINE[status]
        lines = _lines_with_length(list(headers), _length(end))
    if head is None or lines is None:
        return None
    pieces = [head]
    for name, value in cycle.default_headers:
        pieces += name, b": ", value, b"\r\n"
    pieces.append(lines)
    if not cycle.keep_alive:
        pieces.append(b"connection: close\r\n")
    pieces += b"\r\n", body
    return b"".join(pieces)


def _length(end: Message) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % len(end.get("body", b""))


def _known_head(status: int, headers: tuple[tuple[bytes, bytes], ...]) -> bytes | None:
    """Return the head of an answer up to what is its own; None where a header is unusual."""
    lines = _lines(headers)
    if lines is None:
        return None
    head = STATUS_LINE[status] + lines
    if _KNOWN.issuperset(headers):
        _known_heads[status, headers] = head
    return head


def _lines_with_length(headers: list[tuple[bytes, bytes]], length: tuple[bytes, bytes]) -> bytes | None:
    """Return headers as lines, the body's length in its place; None where that is not it, or one is unusual."""
    try:
        place = headers.index(length)
    except ValueError:
        return None
    before, after = _lines(headers[:place]), _lines(headers[place + 1 :])
    if before is None or after is None:
        return None
    return b"".join((before, _line(*length), after))


def _lines(headers: Headers) -> bytes | None:
    lines: list[bytes] = []
    for header in headers:
        name, value = header
        if header not in _KNOWN:
            name = name.lower()
            if name in _SENDING or HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
                return None
        lines.append(_line(name, value))
    return b"".join(lines)


def _line(name: bytes, value: bytes) -> bytes:
    return b"".join((name, b": ", value, b"\r\n"))
