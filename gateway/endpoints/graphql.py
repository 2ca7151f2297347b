"""POST /graphql: GraphQL over HTTP, as a bare ASGI callable.

Order of refusal: method, token, media types, body, its signature, JSON, load, trust, document, scopes, no signature
where one is due, cost, budget. Nothing of an operation has run when any of them refuses.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import asyncpg
import orjson
import structlog
from graphql import GraphQLError
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from auth.signatures import RequestSignature
from auth.tokens import Caller
from database.pool import DATABASE_AWAY
from gateway.admission import RETRY_AFTER_SECONDS, Admission, Overloaded
from gateway.answering import BODY
from gateway.budgets import BudgetExceeded, ClientBudgets
from gateway.endpoints.bearer import Gate, Refused, require_scopes
from gateway.endpoints.graphql_request import GraphQLRequest, read_request
from gateway.endpoints.signing import Exchange, MessageSigning, moves_money
from gateway.execution.cost import MAX_OPERATION_COST
from gateway.execution.documents import InvalidDocument
from gateway.execution.limits import variables_too_large
from gateway.execution.runner import Answer, Runner, refused
from gateway.execution.trusted import ClientDocuments, NotTrusted
from gateway.headers import RequestHeaders

log = structlog.get_logger()

#: A thousand assessed bills are 300 KB; what a bank sends of a larger day is no GraphQL.
MAX_BODY_BYTES = 1_048_576
#: Of a body that is too large, what is read on and thrown away: a client that is still sending when its connection
#: closes may never see the answer that says why.
MAX_DISCARDED_BYTES = 8 * MAX_BODY_BYTES
#: A client that sends more slowly than this holds a connection for nothing.
BODY_TIMEOUT_SECONDS = 10.0
#: Points for a document that can't be run, or is not trusted: to find that out is some milliseconds' work.
INVALID_DOCUMENT_COST = 10

RESPONSE_TYPE = "application/graphql-response+json"
JSON_TYPE = "application/json"
CONTENT_TYPES = {media_type: f"{media_type}; charset=utf-8" for media_type in (JSON_TYPE, RESPONSE_TYPE)}
CONTENT_TYPE_LINES = {name: ((b"content-type", value.encode()),) for name, value in CONTENT_TYPES.items()}

#: A quality of RFC 9110, 12.4.2.
_QUALITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
#: What an endpoint says of a body that it has not read to its end: the connection can't be used again.
_LAST = {"connection": "close"}

#: Makes what every field of an operation shares: of the caller, the Accept-Language header and the request's signature.
MakeContext = Callable[[Caller, str | None, RequestSignature | None], object]


class Declined(Refused):
    """A request that was understood, and is not run: with a code for programs."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        cost: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, headers, code)
        self.cost = cost


class GraphQLEndpoint:
    """The endpoint, over the clients' documents and budgets, the runner and the gate.

    `budget` is that of a client that has none of its own, in points a minute; 0 for no limit.
    """

    def __init__(
        self,
        documents: ClientDocuments,
        budgets: ClientBudgets,
        runner: Runner,
        gate: Gate,
        make_context: MakeContext,
        admission: Admission,
        signing: MessageSigning,
        *,
        budget: int,
        body_timeout_seconds: float = BODY_TIMEOUT_SECONDS,
    ) -> None:
        self._documents = documents
        self._budgets = budgets
        self._runner = runner
        self._gate = gate
        self._make_context = make_context
        self._admission = admission
        self._signing = signing
        self._budget = budget
        self._body_timeout_seconds = body_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        headers = RequestHeaders(scope)
        try:
            if scope["method"] != "POST":
                raise Refused(405, "Use POST.", {"allow": "POST"})
            # Nearly always the caller is known, the body there, a place free, a budget left, and nothing signed: to ask
            # for them so is cheaper than to await them.
            caller = self._gate.known_caller(scope, headers) or await self._gate.caller_of(scope, headers)
            media_type = _media_type(headers.get("content-type", ""), ",".join(headers.getlist("accept")))
            body = scope.get(BODY)
            if body is None:
                body = await self._slow_body(headers, receive)
            elif len(body) > MAX_BODY_BYTES:
                raise _too_large()
            exchange = self._signing.exchange(scope, headers)
            if exchange.has_proof:
                await self._signing.verify(exchange, headers, caller, body)
            request = read_request(body)
            if not self._admission.entered():
                await self._admission.wait()
            try:
                answer = await self._answer(caller, headers, exchange, request)
            finally:
                self._admission.leave()
        except Overloaded:
            content = {"errors": [{"message": "The gateway is busy, and nothing has run. Send the same again."}]}
            await _send(send, 503, JSON_TYPE, content, {"retry-after": str(RETRY_AFTER_SECONDS)})
            return
        except Refused as refusal:
            await _send(send, refusal.status, JSON_TYPE, _refusal(refusal), refusal.headers)
            return
        # A request that was understood is answered 200 in the older media type, whatever became of it.
        status = 200 if answer.ran or media_type == JSON_TYPE else 400
        await _send(send, status, media_type, answer.body, {}, exchange)

    async def _slow_body(self, headers: Headers, receive: Receive) -> bytes:
        try:
            async with asyncio.timeout(self._body_timeout_seconds):
                return await _body(headers, receive)
        except TimeoutError:
            raise Refused(408, "The body did not arrive in time.", _LAST) from None

    async def _answer(self, caller: Caller, headers: Headers, exchange: Exchange, request: GraphQLRequest) -> Answer:
        client_id = caller.client_id
        try:
            limits = self._documents.known_limits(client_id) or await self._documents.limits_of(client_id)
            budget = self._budget if limits.budget is None else limits.budget
            self._budgets.require_any(client_id, budget)
            try:
                document = self._documents.sent(limits, request.document) or await self._documents.find(
                    client_id, limits, request.document
                )
                operation = document.operation(request.operation_name)
                fault = variables_too_large(request.variables)
                if fault is not None:
                    raise InvalidDocument([GraphQLError(fault)], "BAD_USER_INPUT")
            except InvalidDocument as invalid:
                await self._budgets.spend(client_id, budget, min(INVALID_DOCUMENT_COST, budget))
                return refused(invalid)
            except NotTrusted:
                # It was looked for in PostgreSQL.
                await self._budgets.spend(client_id, budget, min(INVALID_DOCUMENT_COST, budget))
                raise
            require_scopes(operation.needs, caller)
            if moves_money(operation):
                await self._signing.admit(exchange, caller)
            points = operation.cost.points(request.variables)
            # A bucket that is smaller than the operation would never hold enough.
            most = min(MAX_OPERATION_COST, budget or MAX_OPERATION_COST)
            if points > most:
                message = f"The operation costs {points} points, at most {most}. Nothing has run."
                raise Declined(400, "OPERATION_TOO_COSTLY", message, self._cost(points, client_id, budget))
            if not self._budgets.spent_at_once(client_id, budget, points):
                await self._budgets.spend(client_id, budget, points)
        except NotTrusted:
            message = "The client may send its trusted documents only. Nothing has run."
            raise Declined(403, "DOCUMENT_NOT_TRUSTED", message) from None
        except BudgetExceeded as exceeded:
            message = "The client's budget is used up, and nothing has run. Send the same again later."
            headers_ = {"retry-after": str(exceeded.retry_after_seconds)}
            cost = self._cost(None, client_id, budget)
            raise Declined(429, "BUDGET_EXCEEDED", message, cost, headers_) from None
        except (asyncpg.PostgresError, *DATABASE_AWAY) as error:
            log.error("limits of a client not looked up", exc_info=error)
            message = "The gateway's database is away, and nothing has run. Send the same again."
            raise Refused(503, message, {"retry-after": "5"}) from None
        context = self._make_context(caller, headers.get("accept-language"), exchange.signature)
        answer = await self._runner.run(operation, request.variables, context)
        answer.body["extensions"] = {"cost": self._cost(points, client_id, budget)}
        return answer

    def _cost(self, points: int | None, client_id: str, budget: int) -> dict[str, Any]:
        told = {} if points is None else {"operation": points}
        return {**told, "budget": self._budgets.told(client_id, budget)}


def _refusal(refusal: Refused) -> dict[str, Any]:
    error: dict[str, Any] = {"message": refusal.message}
    content: dict[str, Any] = {"errors": [error]}
    if refusal.code is not None:
        error["extensions"] = {"code": refusal.code}
    if isinstance(refusal, Declined) and refusal.cost is not None:
        content["extensions"] = {"cost": refusal.cost}
    return content


@lru_cache(maxsize=256)  # a client's program writes them the same way each time
def _media_type(content_type: str, accepted: str) -> str:
    """Return the media type to answer in; refuse a body, or a wish for an answer, that is neither of ours."""
    kind, *parameters = content_type.lower().split(";")
    if kind.strip() != JSON_TYPE:
        raise Refused(415, "Content-Type: must be application/json.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8"):
            raise Refused(415, "Content-Type: must be in UTF-8.")
    if not accepted.strip():
        return JSON_TYPE
    ranges = _ranges(accepted)
    # Where both are as welcome, the one that is named goes before the one that a wildcard lets in; else the older
    # one, as the specification has it.
    best = max((JSON_TYPE, RESPONSE_TYPE), key=lambda ours: _welcome(ranges, ours))
    if _welcome(ranges, best)[0] == 0:
        raise Refused(406, f"Accept: must allow {RESPONSE_TYPE} or {JSON_TYPE}.")
    return best


def _ranges(accepted: str) -> dict[str, tuple[float, int]]:
    """Return the quality of each media range of an Accept header, and its place before others."""
    ranges: dict[str, tuple[float, int]] = {}
    for place, entry in enumerate(accepted.lower().split(",")):
        media_range, *parameters = (part.strip() for part in entry.split(";"))
        quality = next((p.partition("=")[2].strip() for p in parameters if p.partition("=")[0].strip() == "q"), "1")
        if _QUALITY.fullmatch(quality):
            ranges.setdefault(media_range, (float(quality), -place))
    return ranges


def _welcome(ranges: Mapping[str, tuple[float, int]], ours: str) -> tuple[float, bool, int]:
    """Return how welcome a media type is: by its most specific range (RFC 9110, 12.5.1)."""
    if ours in ranges:
        quality, place = ranges[ours]
        return quality, True, place
    quality, _ = ranges.get("application/*", ranges.get("*/*", (0.0, 0)))
    return quality, False, 0


async def _body(headers: Headers, receive: Receive) -> bytes:
    length = headers.get("content-length", "0")
    if len(length) > 12 or (length.isdecimal() and int(length) > MAX_BODY_BYTES + MAX_DISCARDED_BYTES):
        raise _too_large()
    pieces: list[bytes] = []
    kept = discarded = 0
    while discarded <= MAX_DISCARDED_BYTES:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "The client has gone.")
        piece = message.get("body", b"")
        kept += len(piece)
        pieces.append(piece)
        if kept > MAX_BODY_BYTES:
            discarded += sum(map(len, pieces))
            pieces.clear()
        if not message.get("more_body", False):
            break
    if discarded:
        raise _too_large()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _too_large() -> Refused:
    return Refused(413, f"The body is larger than {MAX_BODY_BYTES} bytes.", _LAST)


async def _send(
    send: Send,
    status: int,
    media_type: str,
    content: Mapping[str, Any],
    headers: Mapping[str, str],
    exchange: Exchange | None = None,
) -> None:
    body = orjson.dumps(content)
    #: Of many answers: gateway/answering.py says how long each is.
    lines: Sequence[tuple[bytes, bytes]] = CONTENT_TYPE_LINES[media_type]
    if exchange is not None and exchange.signs:
        headers = {**headers, **exchange.sign(status, CONTENT_TYPES[media_type], body)}
    if headers:
        own = [(name.encode(), value.encode()) for name, value in headers.items()]
        lines = [*lines, (b"content-length", b"%d" % len(body)), *own]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
