"""Which document a request means, and whether its client may send it: trusted documents, and persisted queries.

A document is named by its SHA-256 in hexadecimal. Trusted ones were registered by the operator and stand in
PostgreSQL. Others a client persists itself, by sending them once with their hash (Apollo's automatic persisted
queries): each process keeps those by client, so that nobody uses or learns of another's.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import asyncpg
from graphql import GraphQLError

from auth import documents as registered
from auth.documents import ClientLimits, document_id
from contributions.plain import record
from gateway.execution.documents import Document, DocumentStore, InvalidDocument

#: How long what an operator took back may still be answered for. What was registered is seen at once.
LOOK_UP_AGAIN_SECONDS = 10
#: Limits of clients, and trusted documents, that one process remembers: small records, the least used go first.
MAX_REMEMBERED = 10_000
#: Persisted queries that one process keeps of a client: a bank's program has some forty.
MAX_PERSISTED_PER_CLIENT = 100
#: Clients that it keeps some of. The documents themselves are those of the store.
MAX_PERSISTING_CLIENTS = 1_000


class NotTrusted(Exception):
    """The client is limited to its trusted documents, and this is none of them."""


@record
class Named:
    """How a request says what to run: by text, by id, or by both; `persist` asks to keep the text under the id."""

    text: str | None
    id: str | None
    persist: bool = False


class ClientDocuments:
    """Finds the documents of requests. `clock` tells seconds that never go back."""

    def __init__(
        self, store: DocumentStore, pool: asyncpg.Pool, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._pool = pool
        self._clock = clock
        self._limits: OrderedDict[str, tuple[ClientLimits, float]] = OrderedDict()
        self._trusted: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()
        self._persisted: OrderedDict[str, OrderedDict[str, str]] = OrderedDict()

    def known_limits(self, client_id: str) -> ClientLimits | None:
        """Return what is set for a client, at most LOOK_UP_AGAIN_SECONDS old. None: ask `limits_of`."""
        remembered = self._limits.get(client_id)
        return remembered[0] if remembered is not None and remembered[1] > self._clock() else None

    async def limits_of(self, client_id: str) -> ClientLimits:
        """Return what is set for a client, looked up where it is not known."""
        known = self.known_limits(client_id)
        if known is not None:
            return known
        limits = await registered.limits_of(self._pool, client_id)
        self._limits[client_id] = limits, self._clock() + LOOK_UP_AGAIN_SECONDS
        _bound(self._limits, MAX_REMEMBERED)
        return limits

    def sent(self, limits: ClientLimits, named: Named) -> Document | None:
        """Return the document of a request that sent it as it may, or None: ask `find`. Raises InvalidDocument."""
        if named.text is None or named.persist or limits.trusted_documents_only:
            return None
        return self._store.load(named.text)

    async def find(self, client_id: str, limits: ClientLimits, named: Named) -> Document:
        """Return the document. Raises NotTrusted, and InvalidDocument: for an unknown id as well."""
        sent = self.sent(limits, named)
        if sent is not None:
            return sent
        if limits.trusted_documents_only:
            id_ = named.id if named.id is not None else document_id(named.text or "")
            text = await self._trusted_text(client_id, id_)
            if text is None:
                raise NotTrusted
            return self._store.load(text)
        if named.text is not None:
            document = self._store.load(named.text)
            if named.id is not None:
                self._persist(client_id, named.id, named.text)
            return document
        assert named.id is not None
        text = self._persisted_text(client_id, named.id) or await self._trusted_text(client_id, named.id)
        if text is None:
            raise InvalidDocument([GraphQLError("PersistedQueryNotFound")], "PERSISTED_QUERY_NOT_FOUND")
        return self._store.load(text)

    async def _trusted_text(self, client_id: str, id_: str) -> str | None:
        key = client_id, id_
        remembered = self._trusted.get(key)
        if remembered is not None and remembered[1] > self._clock():
            return remembered[0]
        text = await registered.find(self._pool, client_id, id_)
        if text is None:
            self._trusted.pop(key, None)
            return None
        self._trusted[key] = text, self._clock() + LOOK_UP_AGAIN_SECONDS
        _bound(self._trusted, MAX_REMEMBERED)
        return text

    def _persist(self, client_id: str, id_: str, text: str) -> None:
        if len(text) > registered.MAX_DOCUMENT_LENGTH:
            return
        mine = self._persisted.setdefault(client_id, OrderedDict())
        self._persisted.move_to_end(client_id)
        mine[id_] = text
        mine.move_to_end(id_)
        _bound(mine, MAX_PERSISTED_PER_CLIENT)
        _bound(self._persisted, MAX_PERSISTING_CLIENTS)

    def _persisted_text(self, client_id: str, id_: str) -> str | None:
        mine = self._persisted.get(client_id)
        if mine is None or id_ not in mine:
            return None
        mine.move_to_end(id_)
        return mine[id_]


def _bound(kept: OrderedDict[Any, Any], size: int) -> None:
    while len(kept) > size:
        kept.popitem(last=False)
