"""The form of /verify before any voucher is looked for: what it repeats, and for how long it is waited for."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from typing import Any, Never, cast

import asyncpg
import httpx
import pytest
from cryptography import x509
from starlette.applications import Starlette
from starlette.types import Message

from gateway.endpoints import verify, verify_form
from gateway.pages import forms

pytestmark = pytest.mark.anyio

FORM = "application/x-www-form-urlencoded"
FILE_FORM = "multipart/form-data; boundary=x"
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\nno pdf\r\n--x--\r\n'


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


@pytest.fixture
def no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no database to ask for those that vouchers were signed by."""

    async def published(_pool: asyncpg.Pool) -> list[x509.Certificate]:
        return []

    monkeypatch.setattr(verify, "published", published)


@pytest.mark.parametrize("content_type", [FORM, FILE_FORM])
@pytest.mark.usefixtures("no_certificates")
async def test_a_form_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch, content_type: str) -> None:
    monkeypatch.setattr(forms, "TIMEOUT_SECONDS", 0.02)
    monkeypatch.setattr(verify_form, "FILE_TIMEOUT_SECONDS", 0.02)
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

    headers = [(b"content-type", content_type.encode()), (b"content-length", b"100")]
    scope = {"type": "http", "method": "POST", "path": "/verify", "query_string": b"", "headers": headers}
    await page()(scope, receive, send)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


@pytest.mark.usefixtures("no_certificates")
async def test_more_files_than_memory_is_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_form, "MAX_FILES", 1)
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield FILE[:10]
        begun.set()
        await go.wait()
        yield FILE[10:]

    headers = {"content-type": FILE_FORM, "accept-language": "en"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(page()), base_url="http://127.0.0.1") as http:
        first = asyncio.create_task(http.post("/verify", content=slow(), headers=headers))
        await begun.wait()
        second = await http.post("/verify", content=FILE, headers=headers)
        assert second.status_code == 503
        assert second.headers["retry-after"] == "5"
        # What it did not read of the request is not taken for another one.
        assert second.headers["connection"] == "close"
        go.set()
        assert "is no PDF" in (await first).text
        assert "is no PDF" in (await http.post("/verify", content=FILE, headers=headers)).text


@pytest.mark.usefixtures("no_certificates")
async def test_a_file_is_written_to_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def rolled(_file: object) -> Never:
        raise AssertionError

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rolled)
    large = FILE.replace(b"no pdf", b"0" * (verify_form.MAX_FILE_FORM_BYTES - len(FILE)))
    headers = {"content-type": FILE_FORM, "accept-language": "en"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(page()), base_url="http://127.0.0.1") as http:
        assert "is no PDF" in (await http.post("/verify", content=large, headers=headers)).text


async def _never() -> Never:
    await asyncio.Event().wait()
    raise AssertionError
