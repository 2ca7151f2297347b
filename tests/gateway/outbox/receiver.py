"""Somebody who is sent messages: reads one request of each connection, and answers what a test tells it to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@dataclass(frozen=True)
class Taken:
    """One request."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A server at a port of 127.0.0.1. `answers` are sent in turn, the last of them from then on."""

    answers: list[bytes]
    #: Leave the connection open after an answer, as a server does that waits for the next request.
    stays: bool = False
    taken: list[Taken] = field(default_factory=list)
    #: How many bytes were taken by the other side before it closed.
    sent: int = 0
    port: int = 0
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/posted"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *lines = head.decode().split("\r\n")[:-2]
                headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.taken.append(Taken(line, headers, body))
                answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
                for start in range(0, len(answer), 4096):
                    writer.write(answer[start : start + 4096])
                    await writer.drain()
                    self.sent += 4096
                if not self.stays:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def receiving(*answers: bytes, stays: bool = False) -> AsyncIterator[Receiver]:
    """Run a receiver until the block ends."""
    receiver = Receiver(list(answers or (OK,)), stays)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    """Return an answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status}", *headers, f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body
