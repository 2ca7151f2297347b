"""Assessed bills: amounts that an agency set, 核定."""

from collections.abc import Iterator

from contributions.records import Line
from resolvers.asking import Ask, Asked
from resolvers.call import Call
from resolvers.pages import id_of, is_after, node_asked, page_reader, page_size
from resolvers.payables import standing_payment
from resolvers.reading import (
    Column,
    Reading,
    Row,
    Shape,
    Statement,
    business_date,
    composed,
    shape_of,
    with_answers,
)
from resolvers.records import Answers, AssessedBill, PoolingArea

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
    columns = (
        f"{at}.id",
        f"{at}.bill_number",
        f"{at}.origin",
        f"{at}.insurance",
        f"lower({at}.months)",
        f"upper({at}.months) - 1",
        f"{at}.amount",
        f"{at}.assessed_at",
        f"{at}.pay_by",
        status_of(reading, at) if status is None else reading.fixed(status, "text"),
    )

    def make(row: Row, answers: Answers, call: Call) -> AssessedBill:
        return AssessedBill(
            call.opaque_id,
            row[0],
            bill_number=row[1],
            origin=row[2],
            insurance=row[3],
            first_month=row[4],
            last_month=row[5],
            amount=row[6],
            assessed_at=row[7],
            pay_by=row[8],
            status=row[9],
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
    sql = f"""ARRAY(
        SELECT {bill.row} FROM bills AS {at}
        WHERE {" AND ".join(conditions)}
        ORDER BY {at}.id
        LIMIT {reading.fixed(size + 1, "integer")}
    )"""
    return Column(ask.key, sql, page_reader(bill, size, id_of, after=after))


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
