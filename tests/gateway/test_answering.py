"""An answer in one piece is one write; any other is uvicorn's, and either is the same to who reads it."""

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.protocol import LimitedProtocol

Sent = list[dict[str, Any]]
CLOSE = b"connection: close"


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(content: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


class Writing(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self.closed

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def answered(kind: type[HttpToolsProtocol], messages: Sent, request: bytes) -> Writing:
    """Send a request to an app that answers with these messages, and return what the connection saw."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    config = uvicorn.Config(app, http=kind, ws="none", lifespan="off", log_config=None, access_log=False)
    config.load()
    state = uvicorn.server.ServerState()
    state.default_headers = [(b"date", b"today")]
    protocol = kind(config=config, server_state=state, app_state={})
    transport = Writing()
    protocol.connection_made(transport)
    protocol.data_received(request)
    await asyncio.gather(*state.tasks)
    protocol.connection_lost(None)
    return transport


USUAL = [start((b"content-type", b"application/json; charset=utf-8"), (b"content-length", b"2")), body(b"{}")]
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.anyio
@pytest.mark.parametrize("request_", [GET, LAST, OLD], ids=["kept", "last", "1.0"])
@pytest.mark.parametrize(
    "messages",
    [
        USUAL,
        [start((b"Content-Length", b"0"), (b"X-Other", b"Here")), body(b"")],
        [start((b"content-length", b"0"), (b"x-other", b"1"), (b"x-other", b"2")), body(b"")],
        [start((b"content-length", b"2"), (b"connection", b"close"), status=503), body(b"no")],
        [start((b"content-length", b"4")), body(b"in", more=True), body(b"to")],
        [start(), body(b"of no told length")],
        [start((b"transfer-encoding", b"chunked")), body(b"pieces")],
        [start(status=204), body(b"")],
    ],
    ids=["usual", "capitals", "twice", "closing", "two pieces", "no length", "chunked", "no content"],
)
async def test_the_bytes_are_those_of_uvicorn(messages: Sent, request_: bytes) -> None:
    ours = await answered(LimitedProtocol, messages, request_)
    theirs = await answered(HttpToolsProtocol, messages, request_)
    assert b"".join(ours.written) == b"".join(theirs.written)
    assert ours.closed == theirs.closed


@pytest.mark.anyio
async def test_a_head_alone_is_that_of_uvicorn() -> None:
    ours, theirs = await answered(LimitedProtocol, USUAL, HEAD), await answered(HttpToolsProtocol, USUAL, HEAD)
    assert ours.written == theirs.written


@pytest.mark.anyio
async def test_an_answer_in_one_piece_is_written_once() -> None:
    assert len((await answered(LimitedProtocol, USUAL, GET)).written) == 1
    last = await answered(LimitedProtocol, USUAL, LAST)
    assert len(last.written) == 1
    assert CLOSE in last.written[0]
    assert last.closed


#: Headers that many answers have: how long the body is, is not among them.
SHARED = ((b"content-type", b"application/json; charset=utf-8"), (b"x-other", b"here"))


@pytest.mark.anyio
@pytest.mark.parametrize("request_", [GET, LAST, OLD, HEAD], ids=["kept", "last", "1.0", "HEAD"])
@pytest.mark.parametrize("shared", [SHARED, SHARED[:1], SHARED[1:]], ids=["both", "known", "unknown"])
async def test_a_head_that_many_answers_have_is_told_how_long_each_is(
    shared: tuple[tuple[bytes, bytes], ...], request_: bytes
) -> None:
    head_of_many = {"type": "http.response.start", "status": 200, "headers": shared}
    for content in (b"{}", b"{}" * 100):
        ours = b"".join((await answered(LimitedProtocol, [head_of_many, body(content)], request_)).written)
        own = start(*shared, (b"content-length", str(len(content)).encode()))
        theirs = b"".join((await answered(HttpToolsProtocol, [own, body(content)], request_)).written)
        assert lines_and_body(ours) == lines_and_body(theirs)


@pytest.mark.anyio
async def test_a_head_that_many_answers_have_is_chunked_where_the_body_comes_in_pieces() -> None:
    head_of_many = {"type": "http.response.start", "status": 200, "headers": SHARED}
    pieces = [body(b"in", more=True), body(b"to")]
    ours = await answered(LimitedProtocol, [head_of_many, *pieces], GET)
    theirs = await answered(HttpToolsProtocol, [start(*SHARED), *pieces], GET)
    assert b"".join(ours.written) == b"".join(theirs.written)


@pytest.mark.anyio
@pytest.mark.parametrize("shared", [((b"x-split", b"a\r\nset-cookie: b"),), ((b"connection", b"close"),)])
async def test_an_unusual_head_of_many_is_left_to_uvicorn(
    shared: tuple[tuple[bytes, bytes], ...], caplog: pytest.LogCaptureFixture
) -> None:
    head_of_many = {"type": "http.response.start", "status": 200, "headers": shared}
    ours = await answered(LimitedProtocol, [head_of_many, body(b"{}")], GET)
    theirs = await answered(HttpToolsProtocol, [start(*shared, (b"content-length", b"2")), body(b"{}")], GET)
    assert ours.written == theirs.written


def lines_and_body(answer: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Return the status line, the header lines in any order, and the body."""
    head, _, content = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    return status, sorted(lines), content


@pytest.mark.anyio
@pytest.mark.parametrize(
    "messages",
    [
        [start((b"content-length", b"3")), body(b"{}")],
        [start((b"content-length", b"1")), body(b"{}")],
        [start((b"content-length", b"2"), (b"x-split", b"a\r\nset-cookie: b")), body(b"{}")],
        [start((b"content-length", b"2"), (b"x split", b"a")), body(b"{}")],
        [start((b"content-length", b"2"), (b"content-length", b"2")), body(b"{}")],
    ],
    ids=["too short", "too long", "a header in a header", "no name", "two lengths"],
)
async def test_what_http_does_not_allow_is_left_to_uvicorn(messages: Sent, caplog: pytest.LogCaptureFixture) -> None:
    ours = await answered(LimitedProtocol, messages, GET)
    theirs = await answered(HttpToolsProtocol, messages, GET)
    assert ours.written == theirs.written


@pytest.mark.anyio
async def test_an_app_that_fails_after_its_head_has_answered_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(messages: Sent) -> Writing:
        return await answered(LimitedProtocol, messages, GET)

    half = await failing([start((b"content-length", b"2"))])
    assert half.written[0].startswith(b"HTTP/1.1 500")
    assert len(half.written) == 2
