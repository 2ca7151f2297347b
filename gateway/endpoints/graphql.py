"""POST /graphql: GraphQL over HTTP, as a bare ASGI callable.

Order of refusal: method, token, media types, body, JSON, document, scopes. Nothing of an operation has run when
any of them refuses.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from auth.tokens import Caller, InvalidToken, TokenVerifier
from gateway.execution.documents import DocumentStore, InvalidDocument
from gateway.execution.runner import Answer, Runner, refused
from gateway.execution.scopes import missing_scope

#: A thousand assessed bills are 300 KB; what a bank sends of a larger day is no GraphQL.
MAX_BODY_BYTES = 1_048_576
#: A client that sends more slowly than this holds a connection for nothing.
BODY_TIMEOUT_SECONDS = 10.0

RESPONSE_TYPE = "application/graphql-response+json"
JSON_TYPE = "application/json"

#: Makes what every field of an operation shares: of the caller and the Accept-Language header.
MakeContext = Callable[[Caller, str | None], object]


class _Refused(Exception):
    """A request that is answered before any operation is found in it."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


class GraphQLEndpoint:
    """The endpoint, over the store of documents, the runner and the verifier of tokens."""

    def __init__(
        self, documents: DocumentStore, runner: Runner, verifier: TokenVerifier, make_context: MakeContext
    ) -> None:
        self._documents = documents
        self._runner = runner
        self._verifier = verifier
        self._make_context = make_context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        headers = Headers(scope=scope)
        try:
            if scope["method"] != "POST":
                raise _Refused(405, "Use POST.", {"allow": "POST"})
            caller = await self._caller(headers)
            media_type = _media_type(headers)
            body = await _body(headers, receive)
            answer = await self._answer(caller, headers, *_request(body))
        except _Refused as refusal:
            content = {"errors": [{"message": refusal.message}]}
            await _send(send, refusal.status, JSON_TYPE, content, refusal.headers)
            return
        # A request that was understood is answered 200 in the older media type, whatever became of it.
        status = 200 if answer.ran or media_type == JSON_TYPE else 400
        await _send(send, status, media_type, answer.body, {})

    async def _caller(self, headers: Headers) -> Caller:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            remembered = self._verifier.remembered(token)
            if remembered is not None:
                return remembered
            try:
                return await self._verifier.verify(token)
            except InvalidToken:
                pass  # The reason is nobody's business but ours: every bad token gets the one answer.
        challenge = 'Bearer realm="gateway", error="invalid_token"'
        raise _Refused(401, "A valid access token is needed.", {"www-authenticate": challenge})

    async def _answer(
        self,
        caller: Caller,
        headers: Headers,
        query: str,
        variables: Mapping[str, Any],
        operation_name: str | None,
    ) -> Answer:
        try:
            operation = self._documents.load(query).operation(operation_name)
        except InvalidDocument as document:
            return refused(document)
        missing = missing_scope(operation.needs, caller.scopes)
        if missing is not None:
            challenge = f'Bearer realm="gateway", error="insufficient_scope", scope="{missing}"'
            raise _Refused(403, f"The token lacks the scope {missing}.", {"www-authenticate": challenge})
        context = self._make_context(caller, headers.get("accept-language"))
        return await self._runner.run(operation, variables, context)


def _media_type(headers: Headers) -> str:
    content_type = headers.get("content-type", "")
    kind, _, parameters = content_type.partition(";")
    if kind.strip().lower() != JSON_TYPE:
        raise _Refused(415, "Content-Type: must be application/json.")
    charset = parameters.strip().lower()
    if charset and charset.replace('"', "") not in ("charset=utf-8", "charset=utf8"):
        raise _Refused(415, "Content-Type: must be in UTF-8.")
    accepted = headers.get("accept")
    if accepted is None:
        return JSON_TYPE
    # The first of ours that is named; what comes with wildcards gets the older one, as the specification has it.
    for entry in accepted.split(","):
        wanted, _, quality = entry.strip().partition(";")
        if quality.strip().replace(" ", "") in ("q=0", "q=0.0"):
            continue
        match wanted.strip().lower():
            case "application/graphql-response+json":
                return RESPONSE_TYPE
            case "application/json" | "application/*" | "*/*":
                return JSON_TYPE
    raise _Refused(406, f"Accept: must allow {RESPONSE_TYPE} or {JSON_TYPE}.")


async def _body(headers: Headers, receive: Receive) -> bytes:
    too_large = _Refused(413, f"The body is larger than {MAX_BODY_BYTES} bytes.")
    length = headers.get("content-length", "0")
    if len(length) > 12 or (length.isdigit() and int(length) > MAX_BODY_BYTES):
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
            while True:
                message: Message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Refused(400, "The client has gone.")
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    raise too_large
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise _Refused(408, "The body did not arrive in time.") from None


def _request(body: bytes) -> tuple[str, Mapping[str, Any], str | None]:
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        # orjson's own message can quote the body.
        raise _Refused(400, "The body is not JSON.") from None
    if not isinstance(request, dict):
        raise _Refused(400, "The body must be a JSON object: one operation a request.")
    query = request.get("query")
    variables = request.get("variables")
    operation_name = request.get("operationName")
    extensions = request.get("extensions")
    if not isinstance(query, str):
        raise _Refused(400, "query: must be a string.")
    if variables is not None and not isinstance(variables, dict):
        raise _Refused(400, "variables: must be an object.")
    if operation_name is not None and not isinstance(operation_name, str):
        raise _Refused(400, "operationName: must be a string.")
    if extensions is not None and not isinstance(extensions, dict):
        raise _Refused(400, "extensions: must be an object.")
    return query, variables or {}, operation_name or None


async def _send(
    send: Send, status: int, media_type: str, content: Mapping[str, Any], headers: Mapping[str, str]
) -> None:
    body = orjson.dumps(content)
    lines = [
        (b"content-type", f"{media_type}; charset=utf-8".encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *((name.encode(), value.encode()) for name, value in headers.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
