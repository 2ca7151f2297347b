"""A bank's receiver of notifications: a server on this machine that writes down what comes, and answers as told."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

#: The status of an answer and its Location, by how many requests the path has had before.
Answering = Callable[[int], tuple[int, str | None]]


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> dict[str, Any]:
        """Return the message; raises WebhookVerificationError when the signature is not that of the secret."""
        message: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return message


@dataclass
class Receiver:
    """What came, by path. A path answers 204 unless told otherwise."""

    base_url: str
    answers: dict[str, Answering] = field(default_factory=dict)
    _received: dict[str, list[Received]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def received(self, path: str) -> list[Received]:
        with self._lock:
            return list(self._received.get(path, ()))

    def url(self, path: str) -> str:
        return self.base_url + path

    def take(self, path: str, received: Received) -> tuple[int, str | None]:
        with self._lock:
            before = self._received.setdefault(path, [])
            before.append(received)
            count = len(before) - 1
        return self.answers.get(path, lambda _count: (204, None))(count)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port of 127.0.0.1 until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, location = receiver.take(self.path, Received(headers, body))
            try:
                self.send_response(status)
                if location is not None:
                    self.send_header("Location", location)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except ConnectionError:
                return  # The worker was killed meanwhile.

        do_GET = do_POST  # noqa: N815 -- the library's name

        def log_message(self, *_args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield receiver
        finally:
            server.shutdown()
