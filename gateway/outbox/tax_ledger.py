"""A stand-in for the tax ledger: a server that checks signatures and keeps a ledger of its own in a file.

For the sandbox and for tests: it can be told to fail, to be slow and to answer twice.
"""

import asyncio
import json
import random
from dataclasses import dataclass
from typing import Any, Final

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.outbox.sending import MAX_BODY_BYTES
from gateway.outbox.tax_ledger_file import LedgerFile

KINDS: Final = frozenset({"ACCEPTED", "REVERSED", "REFUNDED"})
#: Where the protocol puts its connection, for the app to spoil.
_TRANSPORT: Final = "gateway.transport"


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, by chance: parts of 1 of the calls. Of those that fail, half were posted before."""

    fail: float = 0.0
    twice: float = 0.0
    slow_seconds: float = 0.0
    seed: int = 0


class SpoiledProtocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, with the connection in the request's scope."""

    def on_message_begin(self) -> None:
        """Give the app its connection."""
        super().on_message_begin()
        self.scope[_TRANSPORT] = self.transport  # type: ignore[typeddict-unknown-key]


class TaxLedger:
    """The ASGI app: POST / takes a message, GET / tells how many there were."""

    def __init__(self, ledger: LedgerFile, secret: str, faults: Faults) -> None:
        self._ledger = ledger
        self._webhook = Webhook(secret)
        self._faults = faults
        self._chance = random.Random(faults.seed)  # noqa: S311 -- the same faults each time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        assert scope["type"] == "http"
        request = Request(scope, receive)
        if request.method == "GET":
            await JSONResponse(self._ledger.counts())(scope, receive, send)
        elif request.method == "POST":
            try:
                await self._take(request, send)
            except ClientDisconnect:
                # A worker that was killed before its message was whole.
                self._ledger.count("BROKEN_OFF")
        else:
            await Response(status_code=405, headers={"allow": "GET, POST"})(scope, receive, send)

    async def _take(self, request: Request, send: Send) -> None:
        body = await _body(request)
        # Drawn at each call, so that the faults are the same whatever is called in between.
        failing, after, twice = self._drawn()
        if self._faults.slow_seconds:
            await asyncio.sleep(self._faults.slow_seconds)
        if failing and not after:
            self._ledger.count("FAILED_BEFORE")
            await JSONResponse({"error": "FAILED"}, 500)(request.scope, request.receive, send)
            return
        status, answer = self._post(request, body)
        transport: asyncio.Transport = request.scope[_TRANSPORT]
        if failing:
            self._ledger.count("FAILED_AFTER")
            transport.abort()
        elif twice:
            self._ledger.count("ANSWERED_TWICE")
            content = json.dumps(answer).encode()
            head = f"HTTP/1.1 {status} \r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
            transport.write((head.encode() + content) * 2)
            transport.close()
        else:
            await JSONResponse(answer, status)(request.scope, request.receive, send)
            return
        # The server learns that the connection has gone, and then asks for no answer.
        while (await request.receive())["type"] != "http.disconnect":
            pass

    def _drawn(self) -> tuple[bool, bool, bool]:
        failing, after, twice = (self._chance.random() for _ in range(3))
        return failing < self._faults.fail, after < 0.5, twice < self._faults.twice

    def _post(self, request: Request, body: bytes | None) -> tuple[int, dict[str, str]]:
        if body is None:
            return self._refused(413, "TOO_LARGE")
        try:
            message = self._webhook.verify(body, dict(request.headers))
        except (WebhookVerificationError, ValueError):
            # The library leaves a header that it can't read to whoever called it.
            return self._refused(401, "WRONG_SIGNATURE")
        facts = _facts(message, request.headers["webhook-id"])
        if facts is None:
            return self._refused(400, "WRONG_MESSAGE")
        key, kind, accepted_key, receipt_number, amount = facts
        outcome = self._ledger.post(key, kind, accepted_key, receipt_number, amount)
        if outcome == "OUT_OF_ORDER":
            return 409, {"error": outcome}
        return 200, {"outcome": outcome}

    def _refused(self, status: int, error: str) -> tuple[int, dict[str, str]]:
        self._ledger.count(error)
        return status, {"error": error}


async def _body(request: Request) -> bytes | None:
    """Return the body; None when it is longer than any message."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _facts(message: Any, message_id: str) -> tuple[str, str, str | None, str, str] | None:
    """Return what the ledger keeps of a message; None for what is no message of the gateway's."""
    if not isinstance(message, dict):
        return None
    key, kind, accepted_key = message.get("idempotencyKey"), message.get("kind"), message.get("acceptedKey")
    receipt_number, amount = message.get("receiptNumber"), message.get("amount")
    if not (isinstance(key, str) and isinstance(receipt_number, str) and isinstance(amount, str)):
        return None
    if key != message_id or kind not in KINDS or isinstance(accepted_key, str) == (kind == "ACCEPTED"):
        return None
    return key, kind, accepted_key, receipt_number, amount
