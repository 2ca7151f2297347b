"""A channel as a client of the gateway: over HTTP, with a token of its own sandbox client, and with nothing else.

What was sent and answered is kept for the page that shows it. The secret and the token stay here.
"""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import structlog

from database.sandbox import CLIENT_SECRET
from gateway.channels.documents import document
from gateway.channels.ways import Channel

#: A statement of the gateway's ends within ten seconds; a token takes one hash of a secret more.
TIMEOUT_SECONDS: Final = 20.0
#: Connections to ourselves: each holds one of the gateway's own places while it is answered.
MAX_CONNECTIONS: Final = 16
#: A hundred payments or receipts with everything that the pages ask of them are 60 KB; a voucher is below 300 KB.
MAX_ANSWER_BYTES: Final = 1_048_576
#: A token is not used any more so shortly before it expires, clocks and ways being what they are.
EXPIRY_MARGIN_SECONDS: Final = 30.0

log = structlog.get_logger()


class Unanswered(Exception):
    """The gateway did not answer as its contract says, or not at all. Sending the same again is safe."""


class Told(Exception):
    """The gateway refused a whole operation: `code` is for programs, `message` in its own words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Exchange:
    """One operation as it was sent and answered: JSON, indented. Its answer stays out of the repr."""

    name: str
    document: str
    variables: str = field(repr=False)
    status: int
    answer: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    good_until: float


def own_client() -> httpx.AsyncClient:
    """Return the HTTP client for calls to ourselves: to the given address alone, without proxies or redirects."""
    limits = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
    return httpx.AsyncClient(timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False, follow_redirects=False)


class Tokens:
    """The channels' tokens, each kept until shortly before it expires, for one process."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self._kept: dict[str, _Token] = {}
        self._lock = asyncio.Lock()

    async def token(self, address: str, client_id: str) -> str:
        """Return the client's token. Raises Unanswered."""
        async with self._lock:
            kept = self._kept.get(client_id)
            if kept is None or kept.good_until < time.monotonic():
                kept = await self._ask(address, client_id)
                self._kept[client_id] = kept
            return kept.value

    def forget(self, client_id: str) -> None:
        """Have the next call ask for another: this one was refused."""
        self._kept.pop(client_id, None)

    async def _ask(self, address: str, client_id: str) -> _Token:
        asked_at = time.monotonic()
        form = {"grant_type": "client_credentials"}
        try:
            response = await self.http.post(f"{address}/oauth/token", auth=(client_id, CLIENT_SECRET), data=form)
            if response.status_code != httpx.codes.OK:
                log.warning("a channel got no token", client_id=client_id, status=response.status_code)
                raise Unanswered
            content = response.json()
            expires_in = float(content["expires_in"])
            return _Token(content["access_token"], asked_at + expires_in - EXPIRY_MARGIN_SECONDS)
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            log.warning("a channel got no token", client_id=client_id, error=type(error).__name__)
            raise Unanswered from error


class Session:
    """The calls of one page, in their order. `address` is this server's own, `accept_language` the page's language."""

    def __init__(self, tokens: Tokens, channel: Channel, address: str, accept_language: str) -> None:
        self._tokens = tokens
        self._channel = channel
        self._address = address
        self._accept_language = accept_language
        self.exchanges: list[Exchange] = []

    async def run(self, name: str, /, **variables: Any) -> dict[str, Any]:
        """Run one of the documents and return its data. Raises Told, Unanswered."""
        content = {"query": document(name), "variables": variables}
        headers = {"accept": "application/graphql-response+json", "accept-language": self._accept_language}
        status, body = await self._send("POST", "/graphql", headers, content)
        try:
            answer = json.loads(body)
            told = answer.get("errors") or ()
            data: dict[str, Any] | None = answer.get("data")
            errors = [(str(e.get("extensions", {}).get("code", "")), str(e["message"])) for e in told]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unanswered from error
        self.exchanges.append(Exchange(name, document(name), _indented(variables), status, _indented(answer)))
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Unanswered
        if errors:
            raise Told(*errors[0])
        if data is None:
            raise Unanswered
        return data

    async def voucher(self, number: str, method: str = "GET") -> bytes | None:
        """Return a receipt's voucher as a PDF; None when the institution has no such receipt. Raises Unanswered.

        HEAD draws none, and counts no printing.
        """
        if not (number.isascii() and number.isdigit()):
            return None
        status, body = await self._send(method, f"/receipts/{number}.pdf", {}, None)
        if status == httpx.codes.NOT_FOUND:
            return None
        if status != httpx.codes.OK:
            raise Unanswered
        return body

    async def _send(self, method: str, path: str, headers: dict[str, str], content: Any) -> tuple[int, bytes]:
        """Send with a token; with another one where it is refused, since a client may have been revoked meanwhile."""
        for _ in range(2):
            token = await self._tokens.token(self._address, self._channel.client_id)
            status, body = await self._once(method, path, {**headers, "authorization": f"Bearer {token}"}, content)
            if status != httpx.codes.UNAUTHORIZED:
                return status, body
            self._tokens.forget(self._channel.client_id)
        raise Unanswered

    async def _once(self, method: str, path: str, headers: dict[str, str], content: Any) -> tuple[int, bytes]:
        body = bytearray()
        try:
            async with self._tokens.http.stream(
                method, f"{self._address}{path}", headers=headers, json=content
            ) as response:
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > MAX_ANSWER_BYTES:
                        raise Unanswered
                return response.status_code, bytes(body)
        except httpx.HTTPError as error:
            log.warning("a channel got no answer", to=path.split("/")[1], error=type(error).__name__)
            raise Unanswered from error


def _indented(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
