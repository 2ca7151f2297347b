"""社保/医保核定: bills that agencies assess, a batch at a time, and take back."""

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import asyncpg

from contributions import names
from contributions.problems import BadInput, BillNotPayable, BillsRejected, PayableNotFound, Rejection
from database.loading.assessing import MAX_BATCH, BillRow, check_bills, stage_bills, take_over_bills
from resolvers.asking import Asked
from resolvers.bills import INSURANCE_OF_AGENCY, bill_by_row, bill_shape
from resolvers.call import Call
from resolvers.reading import Reading, Statement, composed
from resolvers.records import AssessedBill, BillsAssessed
from resolvers.retrying import retried

#: Which origin the bills of an insurance have when its agency assesses them here.
_ORIGINS = {"PENSION": "AGENCY_COUNTER", "MEDICAL": "MEDICAL_BATCH"}


@dataclass(frozen=True, slots=True)
class BillToAssess:
    """One bill as an agency sends it. Months are month numbers, the amount is yuan."""

    bill_number: str
    resident_id: str
    name: str
    insurance: str
    pooling_area: str
    first_month: int
    last_month: int
    amount: Decimal
    pay_by: datetime.date | None


async def assess_bills(call: Call, batch: str, bills: Sequence[BillToAssess], asked: Asked) -> BillsAssessed:
    """Take over an agency's batch, all of it or none. The same batch with the same content is answered again.

    Raises BillsRejected, and BadInput for a batch of no bills or of too many.
    """
    if not 1 <= len(bills) <= MAX_BATCH:
        raise BadInput("input.bills", f"must be 1 to {MAX_BATCH} bills")
    content = _digest(call, bills)
    batch_id, replayed = await retried(lambda: _take_over(call, batch, content, bills))
    statement = _bills_of_batch(asked)
    rows = await statement.fetch(call, batch_id)
    return BillsAssessed(batch, tuple([statement.read(row, call) for row in rows]), replayed)


@composed
def _bills_of_batch(asked: Asked) -> Statement[AssessedBill]:
    reading = Reading()
    bill = bill_shape(reading, "b", asked)
    sql = f"""
        SELECT {", ".join(bill.columns)} FROM bills AS b
        WHERE b.batch_id = {reading.given("bigint")}
        ORDER BY b.batch_index
    """
    return reading.statement(sql, bill.read)


def _digest(call: Call, bills: Sequence[BillToAssess]) -> bytes:
    """Return what tells this content from another. A person's number goes in by its index, never in clear."""
    digest = hashlib.sha256()
    for bill in bills:
        person = call.vault.name_index(bill.resident_id, bill.name)
        for part in (
            bill.bill_number,
            person.hex(),
            bill.insurance,
            bill.pooling_area,
            str(bill.first_month),
            str(bill.last_month),
            str(bill.amount),
            str(bill.pay_by),
        ):
            encoded = part.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(4) + encoded)
    return digest.digest()


async def _take_over(call: Call, batch: str, content: bytes, bills: Sequence[BillToAssess]) -> tuple[int, bool]:
    async with call.pool.acquire() as connection, connection.transaction():
        batch_id = await connection.fetchval(
            """
            INSERT INTO bill_batches (institution_id, batch, content_sha256)
            SELECT $1, $2, $3 FROM act_as_client($4)
            ON CONFLICT (institution_id, batch) DO NOTHING
            RETURNING id
            """,
            call.caller.institution_id,
            batch,
            content,
            call.caller.client_id,
        )
        if batch_id is None:
            return await _replay(call, connection, batch, content), True
        rejections = _refused_as_written(call, bills)
        readable = sorted(set(range(len(bills))) - {rejection.index for rejection in rejections})
        await stage_bills(connection, (_row(call, index, bills[index]) for index in readable))
        rejections += [
            Rejection(found.index, bills[found.index].bill_number, found.code)
            for found in await check_bills(connection)
        ]
        if rejections:
            raise BillsRejected(tuple(sorted(rejections, key=lambda rejection: rejection.index)))
        await take_over_bills(connection, batch_id)
        return batch_id, False


async def _replay(call: Call, connection: asyncpg.Connection, batch: str, content: bytes) -> int:
    row = await connection.fetchrow(
        "SELECT id, content_sha256 FROM bill_batches WHERE institution_id = $1 AND batch = $2",
        call.caller.institution_id,
        batch,
    )
    assert row is not None, "batches are never deleted"
    if row["content_sha256"] != content:
        raise BillsRejected((), code="BATCH_REUSED")
    batch_id: int = row["id"]
    return batch_id


def _refused_as_written(call: Call, bills: Sequence[BillToAssess]) -> list[Rejection]:
    """Return what is wrong with bills by themselves, whoever they are for."""
    own = INSURANCE_OF_AGENCY.get(call.caller.institution_kind)
    return [
        Rejection(index, bill.bill_number, code)
        for index, bill in enumerate(bills)
        if (code := _fault(bill, own)) is not None
    ]


def _fault(bill: BillToAssess, own_insurance: str | None) -> str | None:
    if bill.insurance != own_insurance:
        return "INSURANCE_NOT_YOURS"
    number = bill.bill_number
    if not 1 <= len(number) <= 64 or not number.isprintable() or number.strip() != number:
        return "BILL_NUMBER_INVALID"
    if bill.last_month < bill.first_month:
        return "MONTHS_REVERSED"
    if bill.amount <= 0:
        return "AMOUNT_NOT_POSITIVE"
    if not (bill.pooling_area.isascii() and bill.pooling_area.isdigit()):
        return "UNKNOWN_POOLING_AREA"
    try:
        names.normalise(bill.name)
    except ValueError:
        return "NAME_INVALID"
    return None


def _row(call: Call, index: int, bill: BillToAssess) -> BillRow:
    return BillRow(
        index=index,
        bill_number=bill.bill_number,
        name_index=call.vault.name_index(bill.resident_id, names.normalise(bill.name)),
        insurance=bill.insurance,
        pooling_area=bill.pooling_area,
        first_month=bill.first_month,
        last_month=bill.last_month,
        amount=bill.amount,
        pay_by=bill.pay_by,
        origin=_ORIGINS[bill.insurance],
    )


async def withdraw_bill(call: Call, bill_number: str, reason: str, asked: Asked) -> AssessedBill:
    """Take back an unpaid bill of the agency's own insurance.

    Raises PayableNotFound, or BillNotPayable for one that is paid, expired or withdrawn.
    """
    row = await call.pool.fetchrow(
        "SELECT w.bill_id, w.status FROM withdraw_bill($1, $2, $3, $4, $5) AS w",
        call.caller.client_id,
        INSURANCE_OF_AGENCY.get(call.caller.institution_kind),
        bill_number,
        reason,
        call.business_date,
    )
    if row is None:
        raise PayableNotFound
    if row["status"] != "PAYABLE":
        raise BillNotPayable(row["status"], next_action="CORRECT_REQUEST")
    return await bill_by_row(call, row["bill_id"], asked)
