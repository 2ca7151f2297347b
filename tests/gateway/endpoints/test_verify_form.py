"""The form of /verify before any voucher is looked for: what it repeats, and for how long it is waited for."""

import asyncio
from typing import Any, Never, cast

import asyncpg
import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import Message

from gateway.endpoints import verify

pytestmark = pytest.mark.anyio

FORM = "application/x-www-form-urlencoded"


def page() -> Starlette:
    """Return the page without a database: nothing here may ask it."""
    return Starlette(routes=[*verify.voucher_routes(cast(asyncpg.Pool, None), ())])


@pytest.mark.parametrize("typed", ["369999198503120010", "36999919660630004X", "369999 19850312 0010", "陈晓兰"])
async def test_an_identity_number_or_a_name_that_was_typed_in_is_not_repeated(typed: str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(page()), base_url="http://127.0.0.1") as http:
        for response in (
            await http.get("/verify", params={"number": typed}),
            await http.post("/verify", data={"number": typed}),
            await http.post("/verify", data={"code": typed}),
        ):
            assert response.status_code == 200
            assert typed not in response.text
            assert typed.replace(" ", "") not in response.text
        assert "202011160000000001" in (await http.post("/verify", data={"number": "202011160000000001"})).text


async def test_a_form_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "FORM_TIMEOUT_SECONDS", 0.02)
    begun = False
    sent: list[Message] = []

    async def receive() -> dict[str, Any]:
        nonlocal begun
        if not begun:
            begun = True
            return {"type": "http.request", "body": b"number=", "more_body": True}
        return await _never()

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"content-type", FORM.encode()), (b"content-length", b"100")]
    scope = {"type": "http", "method": "POST", "path": "/verify", "query_string": b"", "headers": headers}
    await page()(scope, receive, send)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


async def _never() -> Never:
    await asyncio.Event().wait()
    raise AssertionError
