"""An answer that comes in one piece leaves in one piece.

uvicorn writes the head of an answer and its body each by itself, and either is a call of the kernel that wakes the
client: together the second largest part of a small answer's time, after the question to PostgreSQL.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

from gateway.headers import STRICT


def _line(name: bytes, value: bytes) -> bytes:
    return b"".join((name, b": ", value, b"\r\n"))


#: In an exchange's scope: whether all of the request is there already, so that nothing of it is to be waited for.
ARRIVED = "gateway.arrived"

#: Lines of most answers, which need not be looked at each time.
_KNOWN = {
    pair: _line(*pair)
    for pair in (
        *STRICT,
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-type", b"application/graphql-response+json; charset=utf-8"),
    )
}
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app answer."""
        scope[ARRIVED] = not self._cycle.more_body
        await self._app(scope, receive, self.send)

    async def send(self, message: Message) -> None:
        """Send what the app says, when there is enough of it."""
        cycle, start = self._cycle, self._start
        if start is None:
            if message["type"] == "http.response.start" and not cycle.response_started:
                self._start = message
            else:
                await cycle.send(message)  # type: ignore[arg-type] # uvicorn types its messages
            return
        self._start = None
        whole = _whole(start, message, cycle)
        if whole is None:
            await cycle.send(start)  # type: ignore[arg-type]
            await cycle.send(message)  # type: ignore[arg-type]
            return
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(whole)
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()


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
    length = str(len(body)).encode()
    pieces = [STATUS_LINE[start["status"]]]
    for name, value in cycle.default_headers:
        pieces += name, b": ", value, b"\r\n"
    has_length = False
    for pair in start.get("headers", ()):
        line = _KNOWN.get(pair)
        if line is None:
            name, value = pair
            if name == b"content-length" and value == length and not has_length:
                has_length = True
            elif name.lower() in _SENDING or HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
                return None
            line = _line(name.lower(), value)
        pieces.append(line)
    if not has_length:
        return None
    if not cycle.keep_alive:
        pieces.append(b"connection: close\r\n")
    pieces += b"\r\n", body
    return b"".join(pieces)
