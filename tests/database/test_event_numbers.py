"""Events as the ledger writes and numbers them, over PostgreSQL alone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

pytestmark = pytest.mark.anyio

MONTH = 2020 * 12


class Ledger:
    """A database with three banks, an agency's client and one payer whom the first two banks have named."""

    def __init__(self, url: str, connection: asyncpg.Connection) -> None:
        self.url = url
        self.connection = connection
        self.banks: dict[str, int] = {}

    async def prepare(self) -> None:
        for code in ("ABC", "ICBC", "CCB"):
            self.banks[code] = await self.connection.fetchval(
                "INSERT INTO institutions (code, name, kind) VALUES ($1, $1, 'BANK') RETURNING id", code
            )
            await self.connection.execute(
                "INSERT INTO clients (id, institution_id, scopes, secret_hash) VALUES ($1, $2, '{}', '')",
                f"{code}-client",
                self.banks[code],
            )
        await self.connection.execute(
            """
            INSERT INTO data_keys (purpose, wrapped_key) VALUES ('IDENTITY', '');
            INSERT INTO payers (
                resident_id_index, name_index, sealed_identity, data_key_id, masked_name, masked_resident_id
            )
            SELECT
                decode(lpad(to_hex(n), 32, '0'), 'hex'), decode(lpad(to_hex(n), 32, '0'), 'hex'), '', k.id, '*', '*'
            FROM generate_series(1, 3) AS n, data_keys AS k;
            """
        )
        await self.connection.execute(
            "INSERT INTO named_payers (institution_id, payer_id) SELECT unnest($1::integer []), 1",
            [self.banks["ABC"], self.banks["ICBC"]],
        )

    async def register(self, client_id: str) -> None:
        await self.connection.execute("SELECT register_callback($1, 'https://bank.example/', '', 1)", client_id)

    async def assess(self, payer_id: int, number: str) -> int:
        bill_id: int = await self.connection.fetchval(
            """
            INSERT INTO bills (bill_number, origin, payer_id, insurance, pooling_area, months, amount)
            VALUES ($1, 'AGENCY_COUNTER', $2, 'PENSION', '360000', int4range($3, $3 + 1), 600) RETURNING id
            """,
            number,
            payer_id,
            MONTH,
        )
        return bill_id

    async def pay(self, bank: str, bill_id: int, reference: str) -> int:
        payment_id: int = await self.connection.fetchval(
            """
            SELECT (s.payment).id FROM submit_payment(
                $1, $2, NULL, NULL, $3, 600, $4, now(), NULL, NULL, '2020-01-02', '000000000000'
            ) AS s
            """,
            self.banks[bank],
            f"{bank}-client",
            bill_id,
            reference,
        )
        return payment_id

    async def number(self, limit: int = 100) -> int:
        numbered: int = await self.connection.fetchval("SELECT number_events($1)", limit)
        return numbered

    async def events(self, bank: str) -> list[tuple[int, str]]:
        rows = await self.connection.fetch(
            "SELECT sequence, kind FROM events WHERE institution_id = $1 AND sequence IS NOT NULL ORDER BY sequence",
            self.banks[bank],
        )
        return [(row["sequence"], row["kind"]) for row in rows]

    async def deliveries(self) -> list[tuple[str, int]]:
        rows = await self.connection.fetch(
            """
            SELECT d.client_id, e.sequence FROM deliveries AS d INNER JOIN events AS e ON d.event_id = e.id
            INNER JOIN pgqueuer AS q ON q.entrypoint = 'delivery' AND q.payload = convert_to(d.id::text, 'UTF8')
            ORDER BY d.client_id, e.sequence
            """
        )
        return [(row["client_id"], row["sequence"]) for row in rows]


@pytest.fixture
async def ledger(database: str) -> AsyncIterator[Ledger]:
    connection = await asyncpg.connect(database)
    try:
        ledger = Ledger(database, connection)
        await ledger.prepare()
        yield ledger
    finally:
        await connection.close()


async def test_a_bill_is_told_to_the_institutions_that_have_named_its_payer_and_to_no_other(ledger: Ledger) -> None:
    await ledger.assess(1, "A-1")
    await ledger.assess(2, "A-2")
    assert await ledger.number() == 2
    assert await ledger.events("ABC") == await ledger.events("ICBC") == [(1, "BILL_ASSESSED")]
    assert await ledger.events("CCB") == []


async def test_a_payments_course_is_told_to_its_own_institution_in_its_order(ledger: Ledger) -> None:
    payment = await ledger.pay("ABC", await ledger.assess(1, "A-1"), "R-1")
    await ledger.connection.execute("UPDATE payments SET posted_at = now() WHERE id = $1", payment)
    await ledger.connection.execute(
        "SELECT reverse_payment($1, 'ABC-client', 'R-1', 'x', '2020-01-02')", ledger.banks["ABC"]
    )
    await ledger.number()
    told = [(1, "BILL_ASSESSED"), (2, "PAYMENT_POSTED"), (3, "PAYMENT_REVERSED")]
    assert await ledger.events("ABC") == told
    assert await ledger.events("ICBC") == told[:1]


async def test_that_a_reversed_payment_is_posted_is_no_news(ledger: Ledger) -> None:
    payment = await ledger.pay("ABC", await ledger.assess(1, "A-1"), "R-1")
    await ledger.connection.execute(
        "SELECT reverse_payment($1, 'ABC-client', 'R-1', 'x', '2020-01-02')", ledger.banks["ABC"]
    )
    await ledger.connection.execute("UPDATE payments SET posted_at = now() WHERE id = $1", payment)
    await ledger.number()
    assert [kind for _, kind in await ledger.events("ABC")] == ["BILL_ASSESSED", "PAYMENT_REVERSED"]


async def test_a_refund_and_a_withdrawal_are_told(ledger: Ledger) -> None:
    payment = await ledger.pay("ABC", await ledger.assess(1, "A-1"), "R-1")
    await ledger.connection.execute("UPDATE payments SET refunded_at = now() WHERE id = $1", payment)
    await ledger.connection.execute("UPDATE contributions SET standing = FALSE WHERE payment_id = $1", payment)
    await ledger.connection.execute("SELECT withdraw_bill('ABC-client', 'PENSION', 'A-1', 'x', '2020-01-02')")
    await ledger.connection.execute("SELECT withdraw_bill('ABC-client', 'PENSION', 'A-1', 'x', '2020-01-02')")
    await ledger.number()
    assert [kind for _, kind in await ledger.events("ABC")] == ["BILL_ASSESSED", "PAYMENT_REFUNDED", "BILL_WITHDRAWN"]
    assert [kind for _, kind in await ledger.events("ICBC")] == ["BILL_ASSESSED", "BILL_WITHDRAWN"]


async def test_what_is_rolled_back_is_not_told_and_takes_no_number(ledger: Ledger) -> None:
    transaction = ledger.connection.transaction()
    await transaction.start()
    await ledger.assess(1, "A-1")
    await transaction.rollback()
    await ledger.assess(1, "A-2")
    await ledger.number()
    assert await ledger.events("ABC") == [(1, "BILL_ASSESSED")]


async def test_numbers_have_no_gap_however_many_number_at_once_and_whatever_commits_when(ledger: Ledger) -> None:
    async def assess(number: int) -> None:
        connection = await asyncpg.connect(ledger.url)
        try:
            other = Ledger(ledger.url, connection)
            async with connection.transaction():
                await other.assess(1, f"A-{number}")
                await asyncio.sleep(number % 5 / 50)
        finally:
            await connection.close()

    async def number() -> None:
        connection = await asyncpg.connect(ledger.url)
        try:
            for _ in range(20):
                await connection.execute("SELECT number_events(3)")
        finally:
            await connection.close()

    await ledger.register("ABC-client")
    await asyncio.gather(*(assess(n) for n in range(20)), *(number() for _ in range(3)))
    await ledger.number()
    numbers = [sequence for sequence, _ in await ledger.events("ABC")]
    assert numbers == list(range(1, 21)) == [sequence for sequence, _ in await ledger.events("ICBC")]
    assert await ledger.deliveries() == [("ABC-client", number) for number in numbers]


async def test_an_event_is_delivered_to_the_callbacks_of_its_institution_alone(ledger: Ledger) -> None:
    for client in ("ABC-client", "ICBC-client", "CCB-client"):
        await ledger.register(client)
    await ledger.connection.execute("UPDATE clients SET revoked_at = now() WHERE id = 'ICBC-client'")
    await ledger.assess(1, "A-1")
    await ledger.number()
    assert await ledger.deliveries() == [("ABC-client", 1)]


async def test_what_happened_before_a_callback_was_registered_is_read_and_not_delivered(ledger: Ledger) -> None:
    await ledger.assess(1, "A-1")
    await ledger.number()
    await ledger.register("ABC-client")
    await ledger.number()
    assert await ledger.deliveries() == []


async def test_numbering_waits_for_a_callback_that_is_being_removed_and_passes_it_over(ledger: Ledger) -> None:
    await ledger.register("ABC-client")
    await ledger.register("ICBC-client")
    await ledger.assess(1, "A-1")
    other = await asyncpg.connect(ledger.url)
    try:
        transaction = other.transaction()
        await transaction.start()
        assert await other.fetchval("SELECT remove_callback('ABC-client')")
        numbering = asyncio.create_task(ledger.number())
        done, _ = await asyncio.wait([numbering], timeout=0.2)
        assert not done
        await transaction.commit()
        assert await numbering == 2
    finally:
        await other.close()
    assert await ledger.deliveries() == [("ICBC-client", 1)]


async def test_a_callback_is_audited_without_its_address_or_secret(ledger: Ledger) -> None:
    await ledger.register("ABC-client")
    await ledger.register("ABC-client")
    await ledger.connection.execute("SELECT remove_callback('ABC-client')")
    await ledger.connection.execute("SELECT remove_callback('ABC-client')")
    entries: list[Any] = await ledger.connection.fetch(
        "SELECT actor, action, detail::text FROM audit_entries WHERE subject = 'callback:ABC-client' ORDER BY position"
    )
    assert [(entry["actor"], entry["action"]) for entry in entries] == [
        ("client:ABC-client", "CALLBACK_ADDED"),
        ("client:ABC-client", "CALLBACK_CHANGED"),
        ("client:ABC-client", "CALLBACK_REMOVED"),
    ]
    assert all("bank.example" not in entry["detail"] and "secret" not in entry["detail"] for entry in entries)
