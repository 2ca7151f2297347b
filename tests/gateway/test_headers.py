"""Every answer is strict, whatever answers it, and says no more than it must."""

import httpx
import pytest

from gateway.headers import STRICT, StrictHeaders
from tests.acceptance.gateway import Server

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
    ("GET", "/"),
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


@pytest.mark.parametrize("path", ["/", "/nowhere", "/graphql/x", "/.git/config", "/" + "x" * 10_000, "/%00", "/é"])
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
