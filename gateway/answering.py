"""An answer that comes in one piece leaves in one piece.

uvicorn writes the head of an answer and its body each by itself, and either is a call of the kernel that wakes the
client: together the second largest part of a small answer's time, after the question to PostgreSQL.
"""

from collections.abc import Awaitable, Generator
from typing import Any, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

from gateway.headers import STRICT


def _line(name: bytes, value: bytes) -> bytes:
    return b"".join((name, b": ", value, b"\r\n"))


#: In an exchange's scope: whether all of the request is there already, so that nothing of it is to be waited for.
ARRIVED = "gateway.arrived"

#: Headers of most answers, which hold nothing of any one of them.
_KNOWN = frozenset(
    (
        *STRICT,
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-type", b"application/graphql-response+json; charset=utf-8"),
    )
)
#: The lines of such headers, as they come together: which is in a few ways.
_known_together: dict[tuple[tuple[bytes, bytes], ...], bytes] = {}
#: What says how the answer is sent: uvicorn's to look at.
_SENDING = frozenset({b"connection", b"transfer-encoding", b"content-length"})


class Answering:
    """Stands between one exchange of uvicorn's and the app, and sends what the app sends.

    The head waits for the body. If that is the whole of it, both are written together; anything else, and whatever is
    not as HTTP has it, goes on to uvicorn as it came.
    """

    __slots__ = ("_app", "_cycle", "_start")

    def __init__(self, app: ASGIApp, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle
        self._start: Message | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Let the app answer."""
        scope[ARRIVED] = not self._cycle.more_body
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


async def _by_uvicorn(cycle: RequestResponseCycle, *messages: Message) -> None:
    for message in messages:
        await cycle.send(message)  # type: ignore[arg-type]


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
    body = end.get("body", b"")
    length = (b"content-length", str(len(body)).encode())
    headers = list(start.get("headers", ()))
    try:
        place = headers.index(length)
    except ValueError:
        return None
    before, after = _lines(tuple(headers[:place])), _lines(tuple(headers[place + 1 :]))
    if before is None or after is None:
        return None
    pieces = [STATUS_LINE[start["status"]]]
    for name, value in cycle.default_headers:
        pieces += name, b": ", value, b"\r\n"
    pieces += before, _line(*length), after
    if not cycle.keep_alive:
        pieces.append(b"connection: close\r\n")
    pieces += b"\r\n", body
    return b"".join(pieces)


def _lines(headers: tuple[tuple[bytes, bytes], ...]) -> bytes | None:
    """Return these headers as lines; None where one is unusual."""
    lines = _known_together.get(headers)
    if lines is not None:
        return lines
    written: list[bytes] = []
    for name, value in headers:
        if name.lower() in _SENDING or HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
            return None
        written.append(_line(name.lower(), value))
    lines = b"".join(written)
    if _KNOWN.issuperset(headers):
        _known_together[headers] = lines
    return lines
