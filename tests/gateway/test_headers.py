"""Every answer is strict, whatever answers it, and says no more than it must."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.datastructures import Headers

from gateway.headers import STRICT, RequestHeaders, StrictHeaders
from tests.acceptance.gateway import Server, serving

EVERYWHERE = [
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/graphql"),
    ("POST", "/graphql"),
    ("POST", "/oauth/token"),
    ("GET", "/oauth/token"),
    ("POST", "/oauth/revoke"),
    ("POST", "/oauth/introspect"),
    ("GET", "/.well-known/oauth-authorization-server"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/index.html"),
    ("GET", "/nowhere"),
    ("POST", "/graphql/x"),
    ("OPTIONS", "/healthz"),
    ("HEAD", "/healthz"),
]


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
def test_every_answer_has_each_strict_header_once(server: Server, method: str, path: str) -> None:
    headers = server.http.request(method, path).headers
    for name, _ in STRICT:
        assert len(headers.get_list(name.decode())) == 1, name
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "Server" not in headers


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
def test_nothing_is_kept_but_keys_and_metadata(server: Server, method: str, path: str) -> None:
    kept = server.http.request(method, path).headers["Cache-Control"]
    assert kept == ("public, max-age=300" if path.startswith("/.well-known/") else "no-store")


@pytest.mark.parametrize(
    "path", ["/index.html", "/nowhere", "/graphql/x", "/.git/config", "/" + "x" * 10_000, "/%00", "/é"]
)
def test_an_unknown_path_gets_a_small_plain_answer(server: Server, path: str) -> None:
    response = server.http.get(path)
    assert response.status_code == 404
    assert response.text == "Not Found"
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.anyio
async def test_what_an_endpoint_says_itself_stands() -> None:
    async def app(_scope: object, _receive: object, send: object) -> None:
        headers = [(b"Cache-Control", b"max-age=1"), (b"content-security-policy", b"default-src 'self'")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]

    transport = httpx.ASGITransport(app=StrictHeaders(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.example") as http:
        headers = (await http.get("/")).headers
    assert headers.get_list("cache-control") == ["max-age=1"]
    assert headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert headers["x-content-type-options"] == "nosniff"


def test_no_page_may_frame_or_load_an_answer(server: Server) -> None:
    headers = server.http.get("/healthz").headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    # Over http it would say what is not so.
    assert "Strict-Transport-Security" not in headers


def test_what_the_protocol_refuses_is_as_strict(server: Server) -> None:
    port = urlsplit(server.base_url).port
    for request, status in ((b"no HTTP\r\n\r\n", b"400"), (b"GET / HTTP/1.1\r\nx: " + b"y" * 40_000, b"431")):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
            raw.sendall(request)
            answer = b"".join(iter(lambda raw=raw: raw.recv(65_536), b""))
        assert answer.startswith(b"HTTP/1.1 " + status)
        for name, value in STRICT:
            assert answer.count(name + b": " + value + b"\r\n") == 1
        assert answer.endswith(b"\r\n\r\n")


def test_where_the_world_comes_by_https_it_is_told_to_stay(
    sandbox_database: str, master_key: str, tmp_path: Path
) -> None:
    settings = {"GATEWAY_DATABASE_URL": sandbox_database, "GATEWAY_MASTER_KEY": master_key}
    with serving(tmp_path / "server.log", GATEWAY_PUBLIC_URL="https://gateway.example", **settings) as running:
        for path in ("/healthz", "/nowhere", "/graphql"):
            assert running.http.get(path).headers.get_list("Strict-Transport-Security") == ["max-age=31536000"]


@pytest.mark.parametrize("name", ["accept", "Accept", "host", "missing"])
def test_a_requests_headers_are_read_as_starlette_reads_them(name: str) -> None:
    raw = [(b"accept", b"a"), (b"host", b"\xe9"), (b"accept", b"b")]
    for given in (raw, raw[:2]):
        ours, theirs = RequestHeaders({"headers": given}), Headers(raw=given)
        assert ours.get(name) == theirs.get(name)
        assert ours.getlist(name) == theirs.getlist(name)
        assert (name in ours) is (name in theirs)
        assert ours.items() == theirs.items()
        if name in theirs:
            assert ours[name] == theirs[name]
