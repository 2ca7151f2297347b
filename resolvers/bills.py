"""Assessed bills: amounts that an agency set, 核定."""

from contributions.records import Line
from resolvers.asking import Ask, Asked
from resolvers.call import Call
from resolvers.pages import node_asked, page_reader, page_size, row_after
from resolvers.payables import standing_payment
from resolvers.reading import Column, Reading, Row, Shape, shape_of, with_answers
from resolvers.records import Answers, AssessedBill, PoolingArea

#: Which insurance the agencies of a kind assess.
INSURANCE_OF_AGENCY = {"SOCIAL_INSURANCE_AGENCY": "PENSION", "MEDICAL_INSURANCE_AGENCY": "MEDICAL"}


def status_of(reading: Reading, at: str) -> str:
    """Return the SQL of a bill's status on the business date, `at` being the bill's alias.

    By the months that stand paid, and not by the payment: it may be another institution's.
    """
    return f"""CASE
        WHEN {at}.withdrawn_at IS NOT NULL THEN 'WITHDRAWN'
        WHEN EXISTS (
            SELECT 1 FROM contributions AS w WHERE w.bill_id = {at}.id AND w.standing
        ) THEN 'PAID'
        WHEN {at}.pay_by < {reading.bind(reading.call.business_date, "date")} THEN 'EXPIRED'
        ELSE 'PAYABLE'
    END"""


@shape_of("AssessedBill")
def bill_shape(reading: Reading, at: str, asked: Asked) -> Shape[AssessedBill]:
    """Read a bill from the row of `bills` at this alias."""
    columns = (
        f"{at}.id",
        f"{at}.bill_number",
        f"{at}.origin",
        f"{at}.insurance",
        f"(SELECT ROW(a.code, a.name) FROM pooling_areas AS a WHERE a.code = {at}.pooling_area)",
        f"lower({at}.months)",
        f"upper({at}.months) - 1",
        f"{at}.amount",
        f"{at}.assessed_at",
        f"{at}.pay_by",
        status_of(reading, at),
    )

    def make(row: Row, answers: Answers) -> AssessedBill:
        row_id, bill_number, origin, insurance, area, first_month, last_month, *rest = row
        amount, assessed_at, pay_by, status = rest
        return AssessedBill(
            id=reading.call.opaque_id("AssessedBill", row_id),
            bill_number=bill_number,
            origin=origin,
            insurance=insurance,
            pooling_area=PoolingArea(*area),
            first_month=first_month,
            last_month=last_month,
            amount=amount,
            assessed_at=assessed_at,
            pay_by=pay_by,
            status=status,
            answers=answers,
        )

    return with_answers(columns, _answers(reading, at, asked), make)


def _answers(reading: Reading, at: str, asked: Asked) -> list[Column]:
    return [_ANSWERS[ask.name](reading, at, ask) for ask in asked if ask.name in _ANSWERS]


def _payment(reading: Reading, at: str, ask: Ask) -> Column:
    return standing_payment(reading, "bill_id", at, ask)


def _lines(_reading: Reading, at: str, ask: Ask) -> Column:
    # An agency's own bill states one amount: it has no lines.
    sql = f"""ARRAY(
        SELECT ROW(l.month, l.monthly_base, l.rate, l.amount) FROM bill_lines AS l
        WHERE l.bill_id = {at}.id ORDER BY l.month
    )"""
    return Column(ask.key, sql, lambda rows: tuple(Line(*row) for row in rows))


_ANSWERS = {"lines": _lines, "payment": _payment}


def bills_of_payer(reading: Reading, payer_id: str, ask: Ask) -> Column:
    """Return a payer's bills in the order of their assessment, `payer_id` being an SQL expression."""
    size = page_size(ask.arguments.get("first"), f"{ask.name}.first")
    after = ask.arguments.get("after")
    at = reading.alias("b")
    conditions = [f"{at}.payer_id = {payer_id}"]
    if after is not None:
        after_id = row_after(reading.call, "AssessedBill", after, f"{ask.name}.after")
        conditions.append(f"{at}.id > {reading.bind(after_id, 'bigint')}")
    if (insurance := ask.arguments.get("insurance")) is not None:
        conditions.append(f"{at}.insurance = {reading.bind(insurance, 'text')}")
    if (status := ask.arguments.get("status")) is not None:
        conditions.append(f"{status_of(reading, at)} = {reading.bind(status, 'text')}")
    asked = node_asked(ask.asked_of("AssessedBillConnection"), "AssessedBillEdge", "AssessedBill")
    bill = bill_shape(reading, at, asked)
    sql = f"""ARRAY(
        SELECT {bill.row} FROM bills AS {at}
        WHERE {" AND ".join(conditions)}
        ORDER BY {at}.id
        LIMIT {reading.bind(size + 1, "integer")}
    )"""
    return Column(ask.key, sql, page_reader(bill, size, lambda node: str(node.id), after=after))


async def bill_by_row(call: Call, bill_id: int, asked: Asked) -> AssessedBill:
    """Return a bill that the caller has just assessed or withdrawn."""
    reading = Reading(call)
    bill = bill_shape(reading, "b", asked)
    row = await reading.fetch_row(
        f"SELECT {', '.join(bill.columns)} FROM bills AS b WHERE b.id = {reading.bind(bill_id, 'bigint')}"
    )
    assert row is not None  # bills are never deleted
    return bill.read(row)
