"""The rule of bills as the API calls it: a batch of an agency in one transaction."""

from dataclasses import replace
from decimal import Decimal

import asyncpg
import pytest

from contributions import months
from database.loading import BillRejection, BillRow, check_bills, stage_bills, take_over_bills
from database.loading.assessing import MAX_BATCH
from tests.database.loading.conftest import number

pytestmark = pytest.mark.anyio

ANNA = number(1)


@pytest.fixture
async def bill(agency):
    await agency.enrol(f"{ANNA},陈晓兰,PENSION,360000,2018-01,")
    return BillRow(
        index=0,
        bill_number="P0",
        name_index=agency.vault.name_index(ANNA, "陈晓兰"),
        insurance="PENSION",
        pooling_area="360000",
        first_month=months.parse("2020-07"),
        last_month=months.parse("2020-12"),
        amount=Decimal("3630.00"),
        pay_by=None,
        origin="AGENCY_COUNTER",
    )


@pytest.fixture
async def batch_id(connection):
    return await connection.fetchval(
        """
        WITH i AS (
            INSERT INTO institutions (code, name, kind) VALUES ('SI', 'SI', 'SOCIAL_INSURANCE_AGENCY') RETURNING id
        )
        INSERT INTO bill_batches (institution_id, batch, content_sha256) SELECT id, 'B', '' FROM i RETURNING id
        """
    )


async def assess(connection, batch_id, *bills):
    async with connection.transaction():
        await stage_bills(connection, bills)
        rejections = await check_bills(connection)
        return rejections or await take_over_bills(connection, batch_id)


async def test_a_batch_becomes_bills_in_its_own_order(connection, bill, batch_id):
    bills = [replace(bill, index=index, bill_number=f"P{9 - index}") for index in range(5)]
    ids = await assess(connection, batch_id, *bills)
    rows = await connection.fetch("SELECT id, bill_number, batch_index FROM bills WHERE id = ANY($1)", ids)
    found = {row["id"]: (row["bill_number"], row["batch_index"]) for row in rows}
    assert [found[bill_id] for bill_id in ids] == [(f"P{9 - index}", index) for index in range(5)]


async def test_a_batch_is_refused_with_the_index_and_the_reason_of_each_bad_bill(connection, bill, batch_id):
    rejections = await assess(
        connection,
        batch_id,
        bill,
        replace(bill, index=1, bill_number="P1", name_index=bytes(16)),
        replace(bill, index=2, bill_number="P2", insurance="MEDICAL"),
        replace(bill, index=3, bill_number="P3", origin="MEDICAL_BATCH"),
    )
    assert rejections == [
        BillRejection(1, "PERSON_NOT_FOUND"),
        BillRejection(2, "NOT_ENROLLED"),
        BillRejection(3, "ORIGIN_NOT_FOR_INSURANCE"),
    ]


async def test_a_number_used_before_is_refused_even_for_the_same_bill(connection, bill, batch_id):
    assert len(await assess(connection, batch_id, bill)) == 1
    assert await assess(connection, batch_id, bill) == [BillRejection(0, "BILL_NUMBER_USED")]


async def test_a_number_twice_in_one_batch_is_refused(connection, bill, batch_id):
    rejections = await assess(connection, batch_id, bill, replace(bill, index=1))
    assert rejections == [BillRejection(0, "BILL_NUMBER_USED"), BillRejection(1, "BILL_NUMBER_USED")]


async def test_nothing_stays_staged_for_the_connections_next_transaction(connection, bill, batch_id):
    assert await assess(connection, batch_id, replace(bill, insurance="MEDICAL")) != []
    assert len(await assess(connection, batch_id, bill)) == 1


async def test_a_number_that_another_batch_takes_meanwhile_raises_and_leaves_nothing(
    connection, bill, batch_id, connect
):
    async def race(other):
        async with connection.transaction():
            await stage_bills(connection, [replace(bill, bill_number="P9"), replace(bill, index=1)])
            assert await check_bills(connection) == []
            assert len(await assess(other, batch_id, replace(bill, amount=Decimal("1.00")))) == 1
            await take_over_bills(connection, batch_id)

    other = await connect()
    try:
        with pytest.raises(asyncpg.UniqueViolationError):
            await race(other)
    finally:
        await other.close()
    assert await connection.fetchval("SELECT count(*) FROM bills") == 1


async def test_a_batch_has_a_limit_and_its_months_an_order(connection, bill):
    async with connection.transaction():
        with pytest.raises(ValueError, match="at most 1000"):
            await stage_bills(connection, [bill] * (MAX_BATCH + 1))
        with pytest.raises(ValueError, match="in their order"):
            await stage_bills(connection, [replace(bill, last_month=bill.first_month - 1)])
