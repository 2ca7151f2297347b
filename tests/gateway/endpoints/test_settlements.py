"""The limits of an upload: its time, its pieces' time and its size; and what is said when the database is gone."""

import asyncio
import datetime
import json
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from starlette.types import Message

from auth import scopes
from auth.certificates import ClientCertificates
from auth.dpop import ProofVerifier
from auth.tokens import Caller, Confirmation, TokenVerifier
from gateway.endpoints import settlements
from gateway.endpoints.bearer import Gate
from gateway.endpoints.settlements import SettlementsEndpoint
from tests.databases import fresh_database

pytestmark = pytest.mark.anyio

TODAY = datetime.date(2020, 11, 16)
HEADER = b"bank_reference,amount,reversed\n"
NOWHERE = "postgresql://nobody:x@127.0.0.1:1/nothing"


class Verifier:
    """Takes every token for that of a bank's counter."""

    def remembered(self, _token: str, _held: Confirmation) -> Caller:
        return Caller("counter", 1, "ABC", "a bank", "BANK", "COUNTER", frozenset({scopes.SETTLEMENT_WRITE}))


@pytest.fixture(scope="module")
def list_database(postgres_url: str, migrated_template: str) -> Iterator[str]:
    with fresh_database(postgres_url, migrated_template) as url:
        yield url


async def put(
    url: str, pieces: Iterator[bytes], pause_seconds: float, **limits: float
) -> tuple[int, dict[str, str], Any]:
    """Send pieces with pauses between them, never to the end, and return status, headers and problem."""
    gate = Gate(cast(TokenVerifier, Verifier()), cast(ProofVerifier, None), ClientCertificates())
    endpoint = SettlementsEndpoint(gate, url, lambda: TODAY, "http://127.0.0.1", **limits)
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(pause_seconds)
        return {"type": "http.request", "body": next(pieces), "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", b"Bearer x"), (b"content-type", b"text/csv")]
    scope = {"type": "http", "method": "PUT", "headers": headers, "path_params": {"date": "2020-11-16"}}
    async with asyncio.timeout(30):
        await endpoint(scope, receive, send)
    start, body = sent
    return start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, json.loads(body["body"])


def forever(row: Callable[[int], bytes] = lambda number: b"A-%d,1.00,false\n" % number) -> Iterator[bytes]:
    yield HEADER
    number = 0
    while True:
        number += 1
        yield row(number)


async def test_a_piece_that_does_not_come_in_its_time_ends_the_upload(list_database: str) -> None:
    status, headers, problem = await put(list_database, forever(), 10.0, piece_timeout_seconds=0.05)
    assert (status, headers["connection"]) == (408, "close")
    assert problem["detail"] == "The list did not arrive in time."


async def test_pieces_that_come_and_come_end_with_the_uploads_time(list_database: str) -> None:
    status, headers, _ = await put(list_database, forever(), 0.01, upload_timeout_seconds=0.3)
    assert (status, headers["connection"]) == (408, "close")


async def test_a_list_is_refused_once_it_is_too_large(list_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlements, "MAX_LIST_BYTES", 10_000)
    status, headers, problem = await put(list_database, forever(), 0)
    assert (status, headers["connection"]) == (413, "close")
    assert problem["detail"] == "The list is larger than 10000 bytes."


async def test_without_a_database_the_bank_is_told_to_come_again() -> None:
    status, headers, problem = await put(NOWHERE, forever(), 0)
    assert (status, problem["code"]) == (503, "TRY_AGAIN")
    assert int(headers["retry-after"]) > 0
