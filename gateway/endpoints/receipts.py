"""GET /receipts/{number}.pdf: the voucher (电子缴费凭证) as a page, for the institution that collected the payment.

Order of refusal: method, token, scope, vouchers being drawn, number. A number of another institution's is refused as
an unknown one is. HEAD answers the same without drawing, and counts no printing.
"""

import http
from typing import Final

import asyncpg
import orjson
import structlog
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from auth import scopes
from database.pool import DATABASE_AWAY, InstitutionPool
from gateway.endpoints.bearer import Gate, Refused, require_scopes
from gateway.execution.scopes import Needs
from gateway.vouchers.desk import DeskBusy, VoucherDesk
from resolvers import vouchers
from resolvers.vouchers import Voucher

#: When to come again: the whole queue is drawn by then.
RETRY_AFTER_SECONDS: Final = 1
#: Says how often the voucher was printed, this time included.
PRINTS_HEADER: Final = "voucher-prints"

_NEEDS: Final[Needs] = frozenset({frozenset({frozenset({scopes.RECEIPT_READ})})})

log = structlog.get_logger()


class ReceiptsEndpoint:
    """The endpoint. `for_transactions` is for PgBouncer (database/pool.py)."""

    def __init__(self, gate: Gate, pool: asyncpg.Pool, desk: VoucherDesk, *, for_transactions: bool = False) -> None:
        self._gate = gate
        self._pool = pool
        self._desk = desk
        self._for_transactions = for_transactions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        try:
            voucher, page = await self._voucher(scope)
        except Refused as refusal:
            await _refuse(send, refusal)
            return
        except (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError, *DATABASE_AWAY) as error:
            log.error("voucher not read", exc_info=error)
            await _refuse(send, _later("The gateway could not read the receipt. Send the same again."))
            return
        headers = [
            (b"content-type", b"application/pdf"),
            (b"content-disposition", f'inline; filename="receipt-{voucher.number}.pdf"'.encode()),
            (PRINTS_HEADER.encode(), str(voucher.prints).encode()),
        ]
        if page is not None:
            headers.append((b"content-length", str(len(page)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": page or b""})

    async def _voucher(self, scope: Scope) -> tuple[Voucher, bytes | None]:
        method = scope["method"]
        if method not in ("GET", "HEAD"):
            raise Refused(405, "Use GET.", {"allow": "GET, HEAD"})
        caller = await self._gate.caller_of(scope, Headers(scope=scope))
        require_scopes(_NEEDS, caller)
        own = InstitutionPool(self._pool, caller.institution_id, for_transactions=self._for_transactions)
        try:
            # Before it is counted as printed.
            self._desk.require_place()
            voucher = await vouchers.voucher(
                own, caller.institution_id, scope["path_params"]["number"], printed=method == "GET"
            )
            if voucher is None:
                raise Refused(404, "There is no such receipt.")
            return voucher, await self._desk.draw(voucher) if method == "GET" else None
        except DeskBusy:
            raise _later("Too many vouchers are being drawn. Send the same again.") from None


def _later(message: str) -> Refused:
    return Refused(503, message, {"retry-after": str(RETRY_AFTER_SECONDS)}, "TRY_AGAIN")


async def _refuse(send: Send, refusal: Refused) -> None:
    """Answer with a problem document (RFC 9457)."""
    content = {
        "type": "about:blank",
        "title": http.HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "detail": refusal.message,
    }
    body = orjson.dumps(content if refusal.code is None else {**content, "code": refusal.code})
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        *((name.encode(), value.encode()) for name, value in refusal.headers.items()),
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
