"""Refunds, 退费: asked for by the bank after a payment's business date, decided by the agency of the insurance."""

import asyncpg

from auth import scopes
from contributions import problems
from resolvers.asking import Ask, Asked, asked_below
from resolvers.bills import INSURANCE_OF_AGENCY
from resolvers.call import Call
from resolvers.pages import node_asked, page_reader, page_size, row_after
from resolvers.reading import Column, Reading, Row, Shape, optional, shape, shape_of
from resolvers.records import Institution, Page, PoolingArea, Refund, RefundDecided, RefundRequested
from resolvers.shadow import move, shadow

#: What a request or a decision writes.
_SHADOWS = (
    shadow("payments", "id", "payment"),
    shadow("receipts", "payment_id", "receipt"),
    shadow("refunds", "id", "refund"),
)

#: By status: the condition on `approved`, as the indexes of `refunds` know it.
_APPROVED = {"REQUESTED": "IS NULL", "REJECTED": "= FALSE", "REFUNDED": "= TRUE"}


@shape_of("Refund")
def refund_shape(reading: Reading, at: str, _asked: Asked) -> Shape[Refund]:
    """Read a refund from the row of `refunds` at this alias, with the plain facts of its payment.

    No more of the payment than what an agency decides about: nothing leads on to others of the bank or the person.
    """
    columns = (
        f"{at}.id",
        f"CASE {at}.approved WHEN TRUE THEN 'REFUNDED' WHEN FALSE THEN 'REJECTED' ELSE 'REQUESTED' END",
        f"{at}.reason",
        f"{at}.requested_at",
        f"{at}.decided_at",
        f"{at}.decision_reason",
        f"(SELECT ROW(i.code, i.name) FROM institutions AS i WHERE i.id = {at}.institution_id)",
        f"(SELECT t.number FROM receipts AS t WHERE t.payment_id = {at}.payment_id)",
        f"{at}.insurance",
        f"(SELECT ROW(y.masked_name, y.masked_resident_id) FROM payers AS y WHERE y.id = {at}.payer_id)",
        f"""(
            SELECT ROW(
                f.bank_reference, lower(f.months), upper(f.months) - 1, f.amount, f.business_date,
                (SELECT ROW(a.code, a.name) FROM pooling_areas AS a WHERE a.code = f.pooling_area)
            )
            FROM payments AS f WHERE f.id = {at}.payment_id
        )""",
    )

    def read(row: Row) -> Refund:
        row_id, status, reason, requested_at, decided_at, decision_reason, institution, *rest = row
        receipt_number, insurance, masks, payment = rest
        bank_reference, first_month, last_month, amount, business_date, area = payment
        return Refund(
            id=reading.call.opaque_id("Refund", row_id),
            status=status,
            reason=reason,
            requested_at=requested_at,
            decided_at=decided_at,
            decision_reason=decision_reason,
            institution=Institution(*institution),
            bank_reference=bank_reference,
            receipt_number=receipt_number,
            insurance=insurance,
            pooling_area=PoolingArea(*area),
            first_month=first_month,
            last_month=last_month,
            amount=amount,
            masked_name=masks[0],
            masked_resident_id=masks[1],
            business_date=business_date,
        )

    return Shape(columns, read)


def refund_of_payment(reading: Reading, at: str, ask: Ask) -> Column:
    """Return the latest request to refund a payment, `at` being the payment's alias."""
    own = reading.alias("r")
    refund = shape("Refund", reading, own, ask.asked_of("Refund"))
    sql = f"""(
        SELECT {refund.row} FROM refunds AS {own}
        WHERE {own}.payment_id = {at}.id ORDER BY {own}.id DESC LIMIT 1
    )"""
    return Column(ask.key, sql, optional(refund.read))


def visible_refund(reading: Reading, at: str) -> str:
    """Return the condition under which a refund is the caller's to see.

    A bank sees what it asked for, with payment:reverse; an agency what it decides about, with refund:decide.
    """
    caller = reading.call.caller
    ways = []
    if scopes.PAYMENT_REVERSE in caller.scopes:
        ways.append(f"{at}.institution_id = {reading.bind(caller.institution_id, 'integer')}")
    if scopes.REFUND_DECIDE in caller.scopes and (insurance := INSURANCE_OF_AGENCY.get(caller.institution_kind)):
        ways.append(f"{at}.insurance = {reading.bind(insurance, 'text')}")
    return f"({' OR '.join(ways)})" if ways else "FALSE"


async def refunds(call: Call, status: str | None, first: int | None, after: str | None, asked: Asked) -> Page:
    """Return the refunds that the caller may see, the oldest first."""
    reading = Reading(call)
    size = page_size(first, "first")
    conditions = [visible_refund(reading, "r")]
    if after is not None:
        after_id = row_after(call, "Refund", after, "after")
        conditions.append(f"r.id > {reading.bind(after_id, 'bigint')}")
    if status is not None:
        conditions.append(f"r.approved {_APPROVED[status]}")
    found = refund_shape(reading, "r", node_asked(asked, "RefundEdge", "Refund"))
    row = await reading.fetch_row(
        f"""
        SELECT ARRAY(
            SELECT {found.row} FROM refunds AS r
            WHERE {" AND ".join(conditions)}
            ORDER BY r.id
            LIMIT {reading.bind(size + 1, "integer")}
        )
        """
    )
    assert row is not None  # a SELECT without FROM has one row
    return page_reader(found, size, lambda node: str(node.id), after=after)(row[0])


async def request_refund(call: Call, bank_reference: str, reason: str, asked: Asked) -> RefundRequested:
    """Ask for the refund of a payment whose business date is over. Safe to repeat.

    Raises PaymentNotFound or PaymentNotRefundable.
    """
    reading = Reading(call)
    bind = reading.bind
    function = f"""request_refund(
        {bind(call.caller.institution_id, "integer")},
        {bind(call.caller.client_id, "text")},
        {bind(bank_reference, "text")},
        {bind(reason, "text")},
        {bind(call.business_date, "date")}
    )"""
    refund = refund_shape(reading, "r", asked_below(asked, "refund", "Refund"))
    payment = shape("Payment", reading, "p", asked_below(asked, "payment", "Payment"))
    outcome = await move(
        reading,
        function,
        _SHADOWS,
        f"""
        o.outcome,
        o.status,
        (SELECT {refund.row} FROM refunds AS r WHERE r.id = (o.refund).id) AS refund,
        (SELECT {payment.row} FROM payments AS p WHERE p.id = (o.payment).id) AS payment
        """,
    )
    if outcome["refund"] is None:
        raise _refusal(outcome)
    return RefundRequested(
        refund.read(outcome["refund"]), payment.read(outcome["payment"]), replayed=outcome["outcome"] == "REPLAYED"
    )


async def decide_refund(call: Call, refund_id: str, approve: bool, reason: str, asked: Asked) -> RefundDecided:
    """Grant or reject a refund of the agency's own insurance. Safe to repeat.

    Raises RefundNotFound, or RefundNotDecidable when it has been decided otherwise.
    """
    reading = Reading(call)
    bind = reading.bind
    function = f"""decide_refund(
        {bind(call.caller.client_id, "text")},
        {bind(INSURANCE_OF_AGENCY.get(call.caller.institution_kind), "text")},
        {bind(call.row_id("Refund", refund_id), "bigint")},
        {bind(approve, "boolean")},
        {bind(reason, "text")}
    )"""
    refund = refund_shape(reading, "r", asked_below(asked, "refund", "Refund"))
    outcome = await move(
        reading,
        function,
        _SHADOWS,
        f"""
        o.outcome,
        o.status,
        (SELECT {refund.row} FROM refunds AS r WHERE r.id = (o.refund).id) AS refund
        """,
    )
    if outcome["refund"] is None:
        raise _refusal(outcome)
    return RefundDecided(refund.read(outcome["refund"]), replayed=outcome["outcome"] == "REPLAYED")


def _refusal(outcome: asyncpg.Record) -> problems.Refusal:
    match outcome["outcome"]:
        case "PAYMENT_NOT_FOUND":
            return problems.PaymentNotFound()
        case "PAYMENT_NOT_REFUNDABLE" | "PAYMENT_STILL_REVERSIBLE" as code:
            return problems.PaymentNotRefundable(outcome["status"], code)
        case "REFUND_NOT_FOUND":
            return problems.RefundNotFound()
        case "REFUND_NOT_DECIDABLE":
            return problems.RefundNotDecidable(outcome["status"])
        case unknown:
            raise AssertionError(f"the ledger answered {unknown}")
