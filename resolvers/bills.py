"""Assessed bills: amounts that an agency set, 核定."""

from collections.abc import Iterator

from contributions.records import Line
from resolvers.asking import Ask, Asked
from resolvers.call import Call
from resolvers.identified import identified, where_asked
from resolvers.pages import id_of, is_after, node_asked, page_column, page_size
from resolvers.payables import standing_payment
from resolvers.reading import (
    Column,
    Reading,
    Shape,
    Statement,
    business_date,
    composed,
    shape_of,
)
from resolvers.records import AssessedBill, PoolingArea

#: Which insurance the agencies of a kind assess.
INSURANCE_OF_AGENCY = {"SOCIAL_INSURANCE_AGENCY": "PENSION", "MEDICAL_INSURANCE_AGENCY": "MEDICAL"}


def _is_paid(at: str) -> str:
    # By the months that stand paid, and not by the payment: it may be another institution's.
    return f"EXISTS (SELECT 1 FROM contributions AS w WHERE w.bill_id = {at}.id AND w.standing)"


def _is_paid_by(at: str, payer_id: str) -> str:
    # What a person has paid is looked up once for all of the person's bills. ANY: see the view unpaid_months. Months
    # that were paid without a bill make it null rather than false; IS NOT NULL would let PostgreSQL read, of all
    # people, what was paid by bill.
    return f"""{at}.id = ANY(ARRAY(
        SELECT w.bill_id FROM contributions AS w
        WHERE w.payer_id = ANY(ARRAY[{payer_id}]) AND w.standing
    ))"""


def _statuses(reading: Reading, at: str, is_paid: str) -> Iterator[tuple[str, str]]:
    """Yield each status with its condition, of which the first that holds decides; PAYABLE if none does."""
    yield "WITHDRAWN", f"{at}.withdrawn_at IS NOT NULL"
    yield "PAID", is_paid
    yield "EXPIRED", f"{at}.pay_by < {reading.of_call(business_date, 'date')}"


def status_of(reading: Reading, at: str) -> str:
    """Return the SQL of a bill's status on the business date, `at` being the bill's alias."""
    cases = [f"WHEN {condition} THEN '{status}'" for status, condition in _statuses(reading, at, _is_paid(at))]
    return f"CASE {' '.join(cases)} ELSE 'PAYABLE' END"


def _has_status(reading: Reading, at: str, payer_id: str, status: str) -> list[str]:
    """Return the conditions under which a bill of this payer has the status, which are read quicker than the status."""
    conditions: list[str] = []
    for decided, condition in _statuses(reading, at, _is_paid_by(at, payer_id)):
        if decided == status:
            return [*conditions, condition]
        conditions.append(f"({condition}) IS NOT TRUE")
    return conditions


@shape_of("AssessedBill")
def bill_shape(reading: Reading, at: str, asked: Asked, status: str | None = None) -> Shape[AssessedBill]:
    """Read a bill from the row of `bills` at this alias; `status` where all that are read have the same."""
    columns = [
        where_asked(asked, "id", f"{at}.id"),
        f"{at}.bill_number",
        f"{at}.origin",
        f"{at}.insurance",
        f"lower({at}.months)",
        f"upper({at}.months) - 1",
        f"{at}.amount",
        where_asked(asked, "assessed_at", f"{at}.assessed_at"),
        f"{at}.pay_by",
    ]
    answers = [_ANSWERS[ask.name](reading, at, ask) for ask in asked if ask.name in _ANSWERS]
    if status is None:
        return identified(AssessedBill, [*columns, status_of(reading, at)], answers)
    # An enum's text, not the enum itself: the other values of a row are plain as well.
    return identified(AssessedBill, columns, answers, constants=(str(status),))


def _payment(reading: Reading, at: str, ask: Ask) -> Column:
    return standing_payment(reading, "bill_id", at, ask)


def _lines(_reading: Reading, at: str, ask: Ask) -> Column:
    # An agency's own bill states one amount: it has no lines.
    sql = f"""ARRAY(
        SELECT ROW(l.month, l.monthly_base, l.rate, l.amount) FROM bill_lines AS l
        WHERE l.bill_id = {at}.id ORDER BY l.month
    )"""
    return Column(ask.key, sql, lambda rows, _call: tuple(Line(*row) for row in rows))


def _pooling_area(_reading: Reading, at: str, ask: Ask) -> Column:
    sql = f"(SELECT ROW(a.code, a.name) FROM pooling_areas AS a WHERE a.code = {at}.pooling_area)"
    return Column(ask.key, sql, lambda row, _call: PoolingArea(*row))


_ANSWERS = {"lines": _lines, "payment": _payment, "pooling_area": _pooling_area}


def bills_of_payer(reading: Reading, payer_id: str, ask: Ask) -> Column:
    """Return a payer's bills in the order of their assessment, `payer_id` being an SQL expression."""
    size = page_size(ask.arguments.get("first"), f"{ask.name}.first")
    after = ask.arguments.get("after")
    at = reading.alias("b")
    conditions = [f"{at}.payer_id = {payer_id}"]
    if after is not None:
        conditions.append(is_after(reading, f"{at}.id", "AssessedBill", after, f"{ask.name}.after"))
    if (insurance := ask.arguments.get("insurance")) is not None:
        conditions.append(f"{at}.insurance = {reading.fixed(insurance, 'text')}")
    if (status := ask.arguments.get("status")) is not None:
        conditions += _has_status(reading, at, payer_id, status)
    asked = node_asked(ask.asked_of("AssessedBillConnection"), "AssessedBillEdge", "AssessedBill")
    # Whether a bill is paid is looked up once for each, and not for its row again.
    bill = bill_shape(reading, at, asked, status)
    source = f"FROM bills AS {at} WHERE {' AND '.join(conditions)} ORDER BY {at}.id"
    return page_column(reading, ask, bill, source, size, id_of)


async def bill_by_row(call: Call, bill_id: int, asked: Asked) -> AssessedBill:
    """Return a bill that the caller has just assessed or withdrawn."""
    # Bills are never deleted.
    return await _bill_of_row(asked).get(call, bill_id)


@composed
def _bill_of_row(asked: Asked) -> Statement[AssessedBill]:
    reading = Reading()
    bill = bill_shape(reading, "b", asked)
    sql = f"SELECT {', '.join(bill.columns)} FROM bills AS b WHERE b.id = {reading.given('bigint')}"
    return reading.statement(sql, bill.read)
