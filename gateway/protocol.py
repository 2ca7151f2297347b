"""HTTP/1.1 as uvicorn speaks it over httptools, with limits on a request's head, which it has none of."""

import asyncio
from typing import Any

from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.answering import Answering
from gateway.headers import raw_head

#: A request's line and headers together; ours hold a token of 600 bytes.
MAX_HEAD_BYTES = 32_768
#: From a connection's first byte, or the end of the request before, to the end of the head. A client that sends
#: more slowly holds the connection for nothing; one that sends nothing at all is ended by the keep-alive limit.
HEAD_TIMEOUT_SECONDS = 10.0


class LimitedProtocol(HttpToolsProtocol):
    """One connection. A head that is too large is answered 431, one that is too slow 408, and either is the last."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        #: What has arrived since the last whole head or piece of a body: of a head, or of the trailers after a body.
        self._waiting_bytes = 0
        self._in_head = False
        self._head_deadline: asyncio.TimerHandle | None = None
        #: Nothing more is read then.
        self._refused = False
        #: Since when nobody has asked for anything, by the loop's clock; None from a request's begin to its answer.
        self._idle_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give a client that has connected the keep-alive limit to begin."""
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self._look_at_idleness()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection's limits with it."""
        super()._unset_keepalive_if_required()
        self._stop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, and refuse a head that has grown too large without an end."""
        # The event loop reads up to 256 kB, in which a head that is too large could hide.
        while data and not self._refused:
            room = MAX_HEAD_BYTES - self._waiting_bytes
            if not room:
                self._refuse(431)
                return
            piece, data = data[:room], data[room:]
            self._waiting_bytes += len(piece)
            super().data_received(piece)
        if self._in_head and self._head_deadline is None and not self._refused:
            self._head_deadline = self.loop.call_later(HEAD_TIMEOUT_SECONDS, self._refuse, 408)

    def _unset_keepalive_if_required(self) -> None:
        # Called for whatever arrives: blank lines are no request, and hold no connection.
        pass

    def on_response_complete(self) -> None:
        """Go on to the next request, as uvicorn does, but for its timer: one for each answer takes longer than this."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)  # type: ignore[arg-type] # uvicorn types its messages
        else:
            self._idle_since = self.loop.time()

    def _look_at_idleness(self) -> None:
        """End a connection that has been idle for so long; look again when it may have been."""
        now = self.loop.time()
        idle_since = now if self._idle_since is None else self._idle_since
        left = idle_since + self.timeout_keep_alive - now
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self._look_at_idleness)
        else:
            self.timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """Answer what could not be parsed to its end."""
        self._refuse(400)

    def on_message_begin(self) -> None:
        """Begin a head, which has its own time."""
        super().on_message_begin()
        self._in_head = True
        self._idle_since = None
        self._stop_deadline()

    def on_headers_complete(self) -> None:
        """Stop the limits: the head is whole, and what follows is the endpoint's to limit."""
        self._waiting_bytes = 0
        self._in_head = False
        # The answer to a request before it may have come in the middle of this head.
        self._idle_since = None
        self._stop_deadline()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Pass a piece of the body on; its bytes were none of a head."""
        self._waiting_bytes = 0
        super().on_body(body)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:  # type: ignore[override]
        super()._start_asgi_task(cycle, Answering(app, cycle))  # type: ignore[arg-type]

    def _stop_deadline(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _refuse(self, status: int) -> None:
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        under_way = self.cycle is not None and not self.cycle.response_complete
        if under_way and self.cycle.more_body:
            # Its trailers are what is refused: the request is not whole, and nobody waits for its answer.
            self.transport.close()
        elif under_way:
            # The request before it is still to be answered, and takes no other's answer for its own.
            self.cycle.keep_alive = False
            self.flow.pause_reading()
        else:
            head = raw_head([(b"connection", b"close"), (b"content-length", b"0"), *self.server_state.default_headers])
            self.transport.write(STATUS_LINE[status] + head + b"\r\n")
            self.transport.close()
