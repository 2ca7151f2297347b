"""One delivery after the other: what is written down of each, and when it is tried again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import asyncpg
import httpx
import pytest

from database import sealing
from database.pool import open_pool
from database.vault import Vault
from gateway.outbox.notifying import FIRST_DELAY, LONGEST_DELAY, MAX_AT_ONCE_FAILING, MAX_TRIES, Notifier

pytestmark = pytest.mark.anyio

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


class Nothing(httpx.AsyncByteStream):
    """A body that is read as it comes, and is empty."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in ():
            yield piece


def answered(status: int) -> httpx.Response:
    return httpx.Response(status, stream=Nothing())


class Outbox:
    """A bank with a callback, bills that are assessed for its payer, and a receiver that a test plays."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault) -> None:
        self.pool = pool
        self.vault = vault
        self.answer: Callable[[httpx.Request], httpx.Response] = lambda _request: answered(204)
        self.sent: list[httpx.Request] = []
        self.held: asyncio.Event | None = None
        self.notifier = Notifier(pool, vault, httpx.AsyncClient(transport=httpx.MockTransport(self._receive)))

    async def _receive(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        if self.held is not None:
            await self.held.wait()
        return self.answer(request)

    async def prepare(self) -> None:
        await self.pool.execute(
            """
            INSERT INTO institutions (code, name, kind) VALUES ('ABC', 'ABC', 'BANK');
            INSERT INTO clients (id, institution_id, scopes, secret_hash)
            SELECT 'abc', i.id, '{}', '' FROM institutions AS i;
            INSERT INTO payers (
                resident_id_index, name_index, sealed_identity, data_key_id, masked_name, masked_resident_id
            )
            SELECT decode(repeat('00', 16), 'hex'), decode(repeat('00', 16), 'hex'), '', min(k.id), '*', '*'
            FROM data_keys AS k;
            INSERT INTO named_payers (institution_id, payer_id)
            SELECT i.id, p.id FROM institutions AS i CROSS JOIN payers AS p;
            """
        )
        await self.register(self.vault.seal(SECRET.encode(), sealing.callback_secret("abc")))

    async def register(self, sealed_secret: bytes) -> None:
        await self.pool.execute(
            "SELECT register_callback('abc', 'https://bank.example/', $1, $2)",
            sealed_secret,
            self.vault.identity_key_id,
        )

    async def deliveries(self, count: int = 1) -> list[int]:
        """Have bills assessed and numbered; return the deliveries that tell of them."""
        await self.pool.execute(
            """
            INSERT INTO bills (bill_number, origin, payer_id, insurance, pooling_area, months, amount)
            SELECT
                'B-' || n || '-' || random(), 'AGENCY_COUNTER', p.id, 'PENSION', '360000', int4range(24240, 24241), 600
            FROM payers AS p CROSS JOIN generate_series(1, $1) AS n
            """,
            count,
        )
        await self.notifier.number()
        rows = await self.pool.fetch("SELECT id FROM deliveries ORDER BY id DESC LIMIT $1", count)
        return [row["id"] for row in reversed(rows)]

    async def state(self, delivery_id: int) -> tuple[int, bool, bool, str | None]:
        row = await self.pool.fetchrow("SELECT * FROM deliveries WHERE id = $1", delivery_id)
        return row["attempts"], row["delivered_at"] is not None, row["failed_at"] is not None, row["last_error"]

    async def jobs(self, delivery_id: int) -> int:
        count: int = await self.pool.fetchval(
            "SELECT count(*) FROM pgqueuer WHERE payload = convert_to($1::bigint::text, 'UTF8')", delivery_id
        )
        return count


@pytest.fixture
async def outbox(database: str, vault_key: bytes) -> AsyncIterator[Outbox]:
    pool = await open_pool(database, max_size=4)
    try:
        async with pool.acquire() as connection:
            vault = await Vault.open(connection, vault_key)
        outbox = Outbox(pool, vault)
        await outbox.prepare()
        yield outbox
    finally:
        await pool.close()


async def test_a_delivery_is_made_once_and_its_job_may_come_again(outbox: Outbox) -> None:
    (delivery,) = await outbox.deliveries()
    assert await outbox.notifier.deliver(delivery) is None
    assert await outbox.notifier.deliver(delivery) is None
    assert len(outbox.sent) == 1
    assert await outbox.state(delivery) == (1, True, False, None)


async def test_after_the_last_try_a_delivery_is_kept_as_failed(outbox: Outbox) -> None:
    outbox.answer = lambda _request: answered(500)
    (delivery,) = await outbox.deliveries()
    for number in range(1, MAX_TRIES):
        pause = await outbox.notifier.deliver(delivery)
        assert pause is not None
        assert pause <= min(FIRST_DELAY * 2 ** (number - 1), LONGEST_DELAY)
        assert await outbox.state(delivery) == (number, False, False, "answered 500")
    assert await outbox.notifier.deliver(delivery) is None
    assert await outbox.state(delivery) == (MAX_TRIES, False, True, "answered 500")
    assert await outbox.notifier.deliver(delivery) is None
    assert len(outbox.sent) == MAX_TRIES
    assert len({request.headers["webhook-id"] for request in outbox.sent}) == 1


async def test_one_that_fails_has_few_messages_under_way_and_one_that_recovers_all(outbox: Outbox) -> None:
    first, *others = await outbox.deliveries(1 + 2 * MAX_AT_ONCE_FAILING)
    outbox.answer = lambda _request: answered(500)
    await outbox.notifier.deliver(first)
    outbox.answer = lambda _request: answered(204)
    outbox.held = asyncio.Event()
    under_way = [asyncio.create_task(outbox.notifier.deliver(delivery)) for delivery in others]
    done, waiting = await asyncio.wait(under_way, timeout=0.5)
    assert (len(done), len(waiting)) == (MAX_AT_ONCE_FAILING, MAX_AT_ONCE_FAILING)
    postponed = [task.result() for task in done]
    assert all(pause is not None and pause <= timedelta(seconds=2) for pause in postponed)
    outbox.held.set()
    await asyncio.gather(*waiting)
    outbox.held, before = asyncio.Event(), len(outbox.sent)
    later = await outbox.deliveries(5)
    under_way = [asyncio.create_task(outbox.notifier.deliver(delivery)) for delivery in later]
    await asyncio.wait(under_way, timeout=0.5)
    assert len(outbox.sent) == before + 5
    outbox.held.set()
    await asyncio.gather(*under_way)
    # A postponement is no try.
    attempts = [(await outbox.state(delivery))[0] for delivery in others]
    assert sorted(attempts) == [0] * MAX_AT_ONCE_FAILING + [1] * MAX_AT_ONCE_FAILING


async def test_a_receiver_that_is_gone_is_removed_unless_it_was_replaced_meanwhile(outbox: Outbox) -> None:
    outbox.answer = lambda _request: answered(410)
    outbox.held = asyncio.Event()
    (delivery,) = await outbox.deliveries()
    under_way = asyncio.create_task(outbox.notifier.deliver(delivery))
    await asyncio.wait([under_way], timeout=0.5)
    await outbox.register(outbox.vault.seal(SECRET.encode(), sealing.callback_secret("abc")))
    outbox.held.set()
    assert await under_way is not None, "it goes to the new address"
    assert await outbox.pool.fetchval("SELECT count(*) FROM callbacks") == 1
    assert await outbox.notifier.deliver(delivery) is None
    assert await outbox.pool.fetchval("SELECT count(*) FROM callbacks") == 0
    actor = await outbox.pool.fetchval("SELECT actor FROM audit_entries WHERE action = 'CALLBACK_REMOVED'")
    assert actor == "worker:delivery"


async def test_a_secret_opens_in_its_own_clients_row_alone(outbox: Outbox) -> None:
    await outbox.register(outbox.vault.seal(SECRET.encode(), sealing.callback_secret("another")))
    (delivery,) = await outbox.deliveries()
    assert await outbox.notifier.deliver(delivery) is not None
    assert await outbox.state(delivery) == (1, False, False, "the secret can't be unsealed")
    assert outbox.sent == []


async def test_a_delivery_that_has_lost_its_job_gets_another_and_one_that_has_a_job_does_not(outbox: Outbox) -> None:
    lost, kept, fresh = await outbox.deliveries(3)
    await outbox.pool.execute("UPDATE deliveries SET enqueued_at = now() - interval '2 minutes' WHERE id <> $1", fresh)
    await outbox.pool.execute("DELETE FROM pgqueuer WHERE payload <> convert_to($1::bigint::text, 'UTF8')", kept)
    for _ in range(2):
        await outbox.notifier.sweep()
    assert [await outbox.jobs(delivery) for delivery in (lost, kept, fresh)] == [1, 1, 0]


async def test_what_is_long_done_is_thrown_away_and_what_waits_is_not(outbox: Outbox) -> None:
    done, failed, waiting = await outbox.deliveries(3)
    await outbox.pool.execute("UPDATE deliveries SET enqueued_at = now() - interval '31 days'")
    await outbox.pool.execute("UPDATE deliveries SET delivered_at = now() WHERE id = $1", done)
    await outbox.pool.execute("UPDATE deliveries SET failed_at = now() WHERE id = $1", failed)
    await outbox.notifier.sweep()
    rows = await outbox.pool.fetch("SELECT id FROM deliveries")
    assert [row["id"] for row in rows] == [waiting]
    assert await outbox.pool.fetchval("SELECT count(*) FROM events WHERE sequence IS NOT NULL") == 3
