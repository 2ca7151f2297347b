"""Keys at a client's own jwks_uri: fetched when needed, kept for a while, and never from inside our own networks."""

import asyncio
from collections.abc import AsyncIterator, Callable

import asyncpg
import httpx
import pytest

from auth import clients, methods, scopes
from auth.client_keys import KEY_SET_BYTES_MAX
from auth.institutions import FieldError
from auth.published_keys import ASKED_AGAIN_SECONDS, KEPT_SECONDS, KEPT_WHEN_AWAY_SECONDS, PublishedKeys
from gateway.app import guarded_client
from tests.auth.banks_keys import assertion, bank_key, key_set, proof
from tests.auth.conftest import Clock, Start, is_refused

pytestmark = pytest.mark.anyio

URI = "https://keys.bank.example/jwks.json"
OLD, NEW = bank_key("ES256", "old"), bank_key("ES256", "new")


def ok(body: bytes) -> httpx.Response:
    async def stream() -> AsyncIterator[bytes]:
        yield body

    return httpx.Response(200, content=stream())


class Bank:
    """A bank's server, which answers with what it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: Callable[[], httpx.Response] = lambda: ok(key_set(OLD))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return self.answer()

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self))


async def kids(published: PublishedKeys, key_id: str | None = "old") -> list[str | None]:
    return [key.kid for key in await published.keys("bank", URI, "ES256", key_id)]


async def test_keys_are_fetched_once_and_again_when_they_are_old() -> None:
    bank, clock = Bank(), Clock(0)
    published = PublishedKeys(bank.client(), sandbox=False, clock=clock)
    assert [await kids(published), await kids(published), bank.asked] == [["old"], ["old"], 1]
    clock.now += KEPT_SECONDS + 1
    bank.answer = lambda: ok(key_set(NEW))
    assert [await kids(published), bank.asked] == [["new"], 2]


async def test_those_who_come_at_once_cause_one_fetch() -> None:
    bank = Bank()
    published = PublishedKeys(bank.client(), sandbox=False)
    assert await asyncio.gather(*(kids(published) for _ in range(20))) == [["old"]] * 20
    assert bank.asked == 1


async def test_a_new_key_is_found_and_made_up_ones_do_not_make_us_ask_all_the_time() -> None:
    bank, clock = Bank(), Clock(0)
    published = PublishedKeys(bank.client(), sandbox=False, clock=clock)
    await kids(published)
    bank.answer = lambda: ok(key_set(OLD, NEW))
    for n in range(50):
        await kids(published, f"made-up-{n}")
    assert bank.asked == 1
    clock.now += ASKED_AGAIN_SECONDS + 1
    assert await kids(published, "new") == ["old", "new"]
    assert bank.asked == 2


async def test_a_bank_whose_server_is_away_goes_on_for_an_hour() -> None:
    bank, clock = Bank(), Clock(0)
    published = PublishedKeys(bank.client(), sandbox=False, clock=clock)
    await kids(published)
    bank.answer = lambda: httpx.Response(503)
    clock.now += KEPT_SECONDS + 1
    assert await kids(published) == ["old"]
    clock.now += KEPT_WHEN_AWAY_SECONDS
    assert await kids(published) == []


@pytest.mark.parametrize(
    "answer",
    [
        lambda: httpx.Response(302, headers={"Location": "https://keys.bank.example/elsewhere"}),
        lambda: ok(b"x" * (KEY_SET_BYTES_MAX + 1)),
        lambda: ok(b"no JSON"),
        lambda: ok(key_set(*[OLD] * 17)),
        lambda: ok(key_set(OLD, private=True)),
        lambda: httpx.Response(404),
    ],
    ids=["redirect", "long", "not-json", "many", "private", "missing"],
)
async def test_what_is_not_a_set_of_public_keys_is_none(answer: Callable[[], httpx.Response]) -> None:
    bank = Bank()
    bank.answer = answer
    assert await kids(PublishedKeys(bank.client(), sandbox=False)) == []
    assert bank.asked == 1


async def test_a_client_with_published_keys_gets_a_token(start: Start, banks: None, pool: asyncpg.Pool) -> None:
    bank = Bank()
    process = await start(jwks_http=bank.client())
    method = methods.by_keys_at(URI, sandbox=False)
    client_id = await clients.register_strong(pool, "ICBC", None, scopes.RETAIL, method)
    assert (await process.http.post("/oauth/token", data=proof(assertion(client_id, OLD)))).status_code == 200
    is_refused(await process.http.post("/oauth/token", data=proof(assertion(client_id, NEW))), 401, "invalid_client")


@pytest.mark.parametrize(
    "uri",
    ["http://keys.bank.example/", "https://127.0.0.1/", "https://10.0.0.1/", "https://[::1]/", "https://localhost/"],
)
async def test_an_address_of_our_own_networks_is_not_registered(uri: str) -> None:
    with pytest.raises(FieldError, match=r"^jwks-uri: "):
        methods.by_keys_at(uri, sandbox=False)


async def test_nothing_inside_is_asked_whatever_the_database_or_a_name_server_says(
    start: Start, banks: None, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server listens on loopback, and would be reached by each of these."""
    reached = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reached
        reached += 1
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as inside:
        port = inside.sockets[0].getsockname()[1]

        async def rebound(*_arguments: object, **_options: object) -> list[tuple[object, ...]]:
            return [(2, 1, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", rebound)
        uris = [f"http://127.0.0.1:{port}/", f"https://127.0.0.1:{port}/", f"https://keys.bank.example:{port}/"]
        for n, uri in enumerate(uris):
            client_id = f"bank-{n}"
            method = methods.Method(methods.PRIVATE_KEY_JWT, jwks_uri=uri)
            await clients.register_strong(pool, "ICBC", None, scopes.RETAIL, method, client_id=client_id)
            published = PublishedKeys(guarded_client(sandbox=False), sandbox=False)
            assert await published.keys(client_id, uri, "ES256", "old") == []
    assert reached == 0
