"""PUT /settlements/{date}: a bank's own list of a large business day as CSV, streamed into the comparison (日终对账).

Order of refusal: method, token, scope, date, media type, length, uploads under way; then the lines of the list.
Whatever refuses, nothing has changed. Refusals are problem documents (RFC 9457), with a `code` for programs.
"""

import asyncio
import http
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import date as Date  # noqa: N812 -- a type, beside values that are called date
from typing import Any, Final

import asyncpg
import orjson
import structlog
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from auth import scopes
from contributions import money
from contributions.problems import DayNotReconcilable
from database.loading.bank_list import ListRejected
from gateway.endpoints.bearer import Gate, Refused, require_scopes
from gateway.execution.scopes import Needs
from resolvers.records import SettlementTotal
from resolvers.settlement_list import Comparison, reconcile_list
from schema import messages
from schema.scalars import date_time_text, parse_date

#: A million rows with references of 24 characters are 40 MB; of 64 characters, 80 MB.
MAX_LIST_BYTES: Final = 128 * 1024 * 1024
#: Between two pieces of the body: a client that is silent for so long has gone, or holds a place for nothing.
PIECE_TIMEOUT_SECONDS: Final = 10.0
#: For the whole body: the largest at 4 Mbit/s. The list's transaction is open for as long.
UPLOAD_TIMEOUT_SECONDS: Final = 300.0
#: Lists under way in one process. Each has a database connection of its own, and reading one keeps the process
#: half busy: a third would cost the payments beside it more than it gains.
MAX_UPLOADS: Final = 2
#: When to come again, refused for another's sake: a list takes seconds to a minute.
RETRY_AFTER_SECONDS: Final = 10

PROBLEM_TYPE: Final = "application/problem+json"

_NEEDS: Final[Needs] = frozenset({frozenset({frozenset({scopes.SETTLEMENT_WRITE})})})
#: What is said of a body that has not been read to its end: the connection can't be used again.
_LAST: Final = {"connection": "close"}
#: The database's part failed as a whole or, of a lost connection, that is not known: the same list again tells.
_TRY_AGAIN: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)

log = structlog.get_logger()


class _ClientGone(Exception):
    """There is nobody left to answer."""


class SettlementsEndpoint:
    """The endpoint, over the gate and the database that lists are compared in.

    `today` gives the business date; `public_url` is where the gateway is reached from outside.
    """

    def __init__(
        self,
        gate: Gate,
        database_url: str,
        today: Callable[[], Date],
        public_url: str,
        *,
        piece_timeout_seconds: float = PIECE_TIMEOUT_SECONDS,
        upload_timeout_seconds: float = UPLOAD_TIMEOUT_SECONDS,
    ) -> None:
        self._gate = gate
        self._database_url = database_url
        self._today = today
        self._public_url = public_url
        self._piece_timeout_seconds = piece_timeout_seconds
        self._upload_timeout_seconds = upload_timeout_seconds
        self._uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        headers = Headers(scope=scope)
        try:
            comparison = await self._reconcile(scope, headers, receive)
        except _ClientGone:
            return
        except Refused as refusal:
            await _send_problem(send, refusal.status, refusal.message, {}, refusal.headers)
        except ListRejected as rejected:
            more: dict[str, Any] = {"code": "LIST_REJECTED", "line": rejected.line, "reason": rejected.reason}
            if rejected.first_line is not None:
                more["firstLine"] = rejected.first_line
            await _send_problem(send, 422, str(rejected), more)
        except DayNotReconcilable as refusal:
            message = messages.message_of(refusal, messages.negotiate(headers.get("accept-language")))
            more = {"code": refusal.code, "nextAction": refusal.next_action}
            await _send_problem(send, 409, message, more)
        except _TRY_AGAIN as error:
            log.error("list not compared", exc_info=error)
            detail = "The gateway could not finish the comparison. Send the same list again."
            retry = {"retry-after": str(RETRY_AFTER_SECONDS)}
            await _send_problem(send, 503, detail, {"code": "TRY_AGAIN"}, retry)
        else:
            await _send(send, 200, "application/json", self._answer(comparison))

    async def _reconcile(self, scope: Scope, headers: Headers, receive: Receive) -> Comparison:
        if scope["method"] != "PUT":
            raise Refused(405, "Use PUT.", {"allow": "PUT"})
        caller = await self._gate.caller_of(scope, headers)
        require_scopes(_NEEDS, caller)
        try:
            date = parse_date(scope["path_params"]["date"])
        except ValueError as error:
            raise Refused(400, f"The path: {error}.") from None
        _check_head(headers)
        if self._uploads >= MAX_UPLOADS:
            retry = {"retry-after": str(RETRY_AFTER_SECONDS)}
            raise Refused(503, f"{MAX_UPLOADS} lists are being compared already. Send it again later.", retry)
        self._uploads += 1
        try:
            return await reconcile_list(
                self._database_url,
                caller.institution_id,
                self._today(),
                date,
                self._pieces(receive),
                upload_timeout_seconds=self._upload_timeout_seconds,
            )
        finally:
            self._uploads -= 1

    async def _pieces(self, receive: Receive) -> AsyncIterator[bytes]:
        """Yield the body as it arrives. Raises Refused when it is too large or too slow, _ClientGone."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._upload_timeout_seconds
        received_bytes = 0
        more = True
        while more:
            try:
                async with asyncio.timeout_at(min(give_up_at, loop.time() + self._piece_timeout_seconds)):
                    message = await receive()
            except TimeoutError:
                raise Refused(408, "The list did not arrive in time.", _LAST) from None
            if message["type"] == "http.disconnect":
                raise _ClientGone
            piece = message.get("body", b"")
            received_bytes += len(piece)
            if received_bytes > MAX_LIST_BYTES:
                raise _too_large()
            yield piece
            more = message.get("more_body", False)

    def _answer(self, comparison: Comparison) -> dict[str, Any]:
        return {
            "date": comparison.date.isoformat(),
            "status": comparison.status,
            "entries": comparison.entries,
            "accepted": _total(comparison.accepted),
            "reversed": _total(comparison.reversed),
            "net": _total(comparison.net),
            "reconciledAt": date_time_text(comparison.reconciled_at),
            "differences": dict(comparison.differences),
            # One by one, in pages.
            "differencesAt": {"url": f"{self._public_url}/graphql", "field": "settlementDay.differences"},
        }


def _check_head(headers: Headers) -> None:
    kind, *parameters = headers.get("content-type", "").lower().split(";")
    if kind.strip() != "text/csv":
        raise Refused(415, "Content-Type: must be text/csv.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8"):
            raise Refused(415, "Content-Type: must be in UTF-8.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "Content-Encoding: must be left out.", {"accept-encoding": "identity"})
    length = headers.get("content-length", "0")
    if len(length) > 12 or (length.isdecimal() and int(length) > MAX_LIST_BYTES):
        raise _too_large()


def _too_large() -> Refused:
    return Refused(413, f"The list is larger than {MAX_LIST_BYTES} bytes.", _LAST)


def _total(total: SettlementTotal) -> dict[str, Any]:
    return {"count": total.count, "amount": money.text(total.amount)}


async def _send_problem(
    send: Send, status: int, detail: str, more: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> None:
    content = {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    await _send(send, status, PROBLEM_TYPE, content, headers)


async def _send(
    send: Send, status: int, media_type: str, content: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> None:
    body = orjson.dumps(content)
    lines = [
        (b"content-type", media_type.encode()),
        (b"content-length", str(len(body)).encode()),
        *((name.encode(), value.encode()) for name, value in (headers or {}).items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
