"""A request's head is limited in size and time, and no limit takes the answer of the request before it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from gateway import protocol
from gateway.protocol import MAX_HEAD_BYTES, LimitedProtocol

pytestmark = pytest.mark.anyio

Exchange = Callable[..., Awaitable[bytes]]


class App:
    """Answers "ok" once it may, after it has read the body."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.asked.set()
        while (await receive()).get("more_body"):
            pass
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
async def address(app: App) -> AsyncIterator[tuple[str, int]]:
    """Serve the app by the protocol alone, on a port that the kernel chooses."""
    config = uvicorn.Config(app, http=LimitedProtocol, ws="none", lifespan="off", log_config=None, timeout_keep_alive=1)
    config.load()
    state = uvicorn.server.ServerState()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: LimitedProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    try:
        yield listening.sockets[0].getsockname()
    finally:
        listening.close()
        for connection in list(state.connections):
            connection.transport.close()
        await listening.wait_closed()


async def exchange(address: tuple[str, int], *pieces: bytes) -> bytes:
    """Send the pieces, one after another, and return everything that is answered until the connection ends."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def head(header_bytes: int = 0, *, last: bool = True) -> bytes:
    start = b"GET / HTTP/1.1\r\nHost: x\r\n" + (b"Connection: close\r\n" if last else b"")
    return start + b"Padding: " + b"x" * header_bytes + b"\r\n\r\n"


async def test_a_head_up_to_the_limit_is_read(address: tuple[str, int]) -> None:
    assert (await exchange(address, head(MAX_HEAD_BYTES - 200))).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "too_large",
    [
        head(MAX_HEAD_BYTES),
        b"GET /" + b"x" * MAX_HEAD_BYTES + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000 + b"\r\n",
    ],
    ids=["one header", "the path", "many headers"],
)
async def test_a_larger_head_is_refused(address: tuple[str, int], app: App, too_large: bytes) -> None:
    answer = await exchange(address, too_large)
    assert answer.startswith(b"HTTP/1.1 431") or answer == b""
    assert not app.asked.is_set()


async def test_a_head_without_end_is_refused_while_it_grows(address: tuple[str, int], app: App) -> None:
    answer = await exchange(address, b"GET / HTTP/1.1\r\nPadding: ", *[b"x" * 4_096] * 9)
    assert answer.startswith(b"HTTP/1.1 431")
    assert not app.asked.is_set()


async def test_trailers_without_end_are_refused_too(address: tuple[str, int], app: App) -> None:
    chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    assert await exchange(address, chunked, b"Trailer: ", *[b"x" * 4_096] * 20) == b""


async def test_a_body_is_not_counted(address: tuple[str, int]) -> None:
    size = 4 * MAX_HEAD_BYTES
    request = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
    assert (await exchange(address, request, b"x" * size)).startswith(b"HTTP/1.1 200")


async def test_each_request_of_a_connection_has_the_limit_to_itself(address: tuple[str, int]) -> None:
    half = MAX_HEAD_BYTES // 2
    answer = await exchange(address, head(half, last=False), head(half, last=False), head(half))
    assert answer.count(b"200 OK") == 3


async def test_a_slow_head_is_given_up(address: tuple[str, int], app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_SECONDS", 0.02)
    assert (await exchange(address, b"GET / HTTP/1.1\r\nHost:")).startswith(b"HTTP/1.1 408")
    assert not app.asked.is_set()


async def test_a_slow_answer_is_not(address: tuple[str, int], app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_SECONDS", 0.02)
    app.may_answer.clear()
    asyncio.get_running_loop().call_later(0.1, app.may_answer.set)
    assert (await exchange(address, head())).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "second", [b"GET / HTTP/1.1\r\nHost:", b"GET / HTTP/1.1\r\nPadding: " + b"x" * 2 * MAX_HEAD_BYTES]
)
async def test_a_bad_second_request_leaves_the_first_its_answer(
    address: tuple[str, int], app: App, monkeypatch: pytest.MonkeyPatch, second: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_SECONDS", 0.02)
    app.may_answer.clear()
    asyncio.get_running_loop().call_later(0.1, app.may_answer.set)
    answer = await exchange(address, head(last=False), second)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1


async def test_what_is_no_http_is_refused(address: tuple[str, int], app: App) -> None:
    assert (await exchange(address, b"\x16\x03\x01\x02\x00")).startswith(b"HTTP/1.1 400")
    assert not app.asked.is_set()


@pytest.mark.parametrize("nothing", [b"", b"\r\n"], ids=["nothing", "a blank line"])
async def test_a_connection_on_which_nothing_comes_is_closed(address: tuple[str, int], nothing: bytes) -> None:
    assert await exchange(address, nothing) == b""


async def test_a_connection_is_closed_when_it_is_idle_and_not_while_it_waits(
    address: tuple[str, int], app: App
) -> None:
    app.may_answer.clear()
    # Longer than a connection may be idle: it is looked at meanwhile.
    asyncio.get_running_loop().call_later(1.5, app.may_answer.set)
    answer = await exchange(address, head(last=False))
    assert answer.startswith(b"HTTP/1.1 200")


async def test_a_request_after_a_pause_is_answered_and_has_the_limit_to_itself(address: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*address)
    for _ in range(3):
        await asyncio.sleep(0.6)
        writer.write(head(last=False))
        assert b"200 OK" in await reader.readuntil(b"ok")
    assert await reader.read() == b""
    writer.close()
