"""A document is found for the client that registered or persisted it, and for no other."""

import hashlib
from collections.abc import AsyncIterator

import asyncpg
import pytest

from auth import clients, documents, institutions
from auth.documents import ClientLimits
from auth.institutions import FieldError
from gateway.execution import trusted
from gateway.execution.documents import InvalidDocument
from gateway.execution.trusted import LOOK_UP_AGAIN_SECONDS, ClientDocuments, Named, NotTrusted
from tests.gateway.execution.small_schema import document_store

pytestmark = pytest.mark.anyio

TEXT = "{ payer { id } }"
ANY = ClientLimits()
ONLY = ClientLimits(trusted_documents_only=True)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def id_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool:
        await institutions.add(pool, "BANK", "A bank", "BANK")
        for client_id in ("one", "two"):
            await clients.register(pool, "BANK", None, ["payer:read"], client_id=client_id)
        yield pool


def process(pool: asyncpg.Pool, clock: Clock | None = None) -> ClientDocuments:
    return ClientDocuments(document_store(), pool, clock=clock or Clock())


async def is_unknown(process: ClientDocuments, client_id: str, text: str) -> bool:
    try:
        await process.find(client_id, ANY, Named(None, id_of(text)))
    except InvalidDocument as invalid:
        return (invalid.code, invalid.errors[0].message) == ("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
    return False


async def test_a_persisted_query_is_the_clients_own(pool: asyncpg.Pool) -> None:
    here = process(pool)
    assert await is_unknown(here, "one", TEXT)
    await here.find("one", ANY, Named(TEXT, id_of(TEXT), persist=True))
    assert not await is_unknown(here, "one", TEXT)
    assert await is_unknown(here, "two", TEXT)
    assert await is_unknown(process(pool), "one", TEXT)


async def test_a_text_by_itself_or_an_invalid_one_is_not_persisted(pool: asyncpg.Pool) -> None:
    here = process(pool)
    await here.find("one", ANY, Named(TEXT, None))
    with pytest.raises(InvalidDocument):
        await here.find("one", ANY, Named("{ nonsense }", id_of("{ nonsense }"), persist=True))
    assert await is_unknown(here, "one", TEXT)
    assert await is_unknown(here, "one", "{ nonsense }")


async def test_persisted_queries_are_bounded_by_client(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trusted, "MAX_PERSISTED_PER_CLIENT", 2)
    here = process(pool)
    await here.find("two", ANY, Named(TEXT, id_of(TEXT), persist=True))
    texts = [f"query Q{n} {{ payer {{ id }} }}" for n in range(3)]
    for text in texts:
        await here.find("one", ANY, Named(text, id_of(text), persist=True))
    assert [await is_unknown(here, "one", text) for text in texts] == [True, False, False]
    assert not await is_unknown(here, "two", TEXT)


async def test_a_registered_document_is_seen_at_once_by_its_client(pool: asyncpg.Pool) -> None:
    here, elsewhere = process(pool), process(pool)
    assert await is_unknown(here, "one", TEXT)
    assert await documents.register(pool, "one", TEXT) == id_of(TEXT)
    for one in (here, elsewhere):
        assert not await is_unknown(one, "one", TEXT)
        assert await is_unknown(one, "two", TEXT)


async def test_a_removed_document_ends_within_its_time(pool: asyncpg.Pool) -> None:
    clock = Clock()
    here = process(pool, clock)
    await documents.register(pool, "one", TEXT)
    await here.find("one", ONLY, Named(TEXT, None))
    await documents.remove(pool, "one", id_of(TEXT))
    clock.now += LOOK_UP_AGAIN_SECONDS
    with pytest.raises(NotTrusted):
        await here.find("one", ONLY, Named(TEXT, None))
    with pytest.raises(FieldError):
        await documents.remove(pool, "one", id_of(TEXT))


async def test_a_limited_client_sends_what_is_registered_and_nothing_else(pool: asyncpg.Pool) -> None:
    here = process(pool)
    await documents.register(pool, "one", TEXT)
    await here.find("one", ANY, Named("{ payers { id } }", id_of("{ payers { id } }"), persist=True))
    await here.find("one", ONLY, Named(TEXT, None))
    await here.find("one", ONLY, Named(None, id_of(TEXT)))
    for named in (
        Named("{ payers { id } }", None),
        Named(None, id_of("{ payers { id } }")),
        Named(TEXT + " ", None),
        Named("no GraphQL", None),
        Named("", None),
    ):
        with pytest.raises(NotTrusted):
            await here.find("one", ONLY, named)


async def test_a_limit_is_seen_within_its_time(pool: asyncpg.Pool) -> None:
    clock = Clock()
    here = process(pool, clock)
    assert await here.limits_of("one") == ANY
    await documents.limit_to_trusted(pool, "one", only=True)
    await documents.set_budget(pool, "one", 5)
    assert await here.limits_of("one") == ANY
    clock.now += LOOK_UP_AGAIN_SECONDS
    assert await here.limits_of("one") == ClientLimits(True, 5)
    assert await here.limits_of("two") == ANY


async def test_registering_is_for_clients_and_bounded(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_TRUSTED_DOCUMENTS", 1)
    await documents.register(pool, "one", TEXT)
    await documents.register(pool, "one", TEXT)
    with pytest.raises(FieldError, match="has 1 documents"):
        await documents.register(pool, "one", TEXT + " ")
    with pytest.raises(FieldError, match="no client"):
        await documents.register(pool, "nobody", TEXT)
    with pytest.raises(FieldError, match="must be 0 to"):
        await documents.set_budget(pool, "one", -1)
    for text in ("", "x" * (documents.MAX_DOCUMENT_LENGTH + 1)):
        with pytest.raises(FieldError):
            await documents.register(pool, "one", text)


async def test_a_document_that_was_changed_by_hand_is_refused_by_the_database(pool: asyncpg.Pool) -> None:
    await documents.register(pool, "one", TEXT)
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute("UPDATE trusted_documents SET document = '{ payers { id } }'")
