"""Refunds, 退费: asked for by the bank after a payment's business date, decided by the agency of the insurance."""

from dataclasses import dataclass

import asyncpg

from auth import scopes
from contributions import problems
from resolvers.asking import Ask, Asked, asked_below
from resolvers.bills import INSURANCE_OF_AGENCY
from resolvers.call import Call
from resolvers.pages import node_asked, page, page_statement, place_of
from resolvers.reading import (
    Column,
    Reading,
    Row,
    Shape,
    Statement,
    business_date,
    client_id,
    composed,
    institution_id,
    optional,
    shape,
    shape_of,
)
from resolvers.records import Institution, Page, PoolingArea, Refund, RefundDecided, RefundRequested
from resolvers.shadow import move, moving, shadow

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

    def read(row: Row, call: Call) -> Refund:
        row_id, status, reason, requested_at, decided_at, decision_reason, institution, *rest = row
        receipt_number, insurance, masks, payment = rest
        bank_reference, first_month, last_month, amount, business_date, area = payment
        return Refund(
            call.opaque_id,
            row_id,
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


@dataclass(frozen=True, slots=True)
class Sight:
    """Which refunds a caller may see: those that it asked for, and those of an insurance that it decides about."""

    own: bool
    insurance: str | None


def sight_of(call: Call) -> Sight:
    """Return what the caller sees: a bank with payment:reverse its own, an agency, by refund:decide, its insurance."""
    caller = call.caller
    decides = scopes.REFUND_DECIDE in caller.scopes
    return Sight(
        own=scopes.PAYMENT_REVERSE in caller.scopes,
        insurance=INSURANCE_OF_AGENCY.get(caller.institution_kind) if decides else None,
    )


def visible_refund(reading: Reading, at: str, sight: Sight) -> str:
    """Return the condition under which a refund is the caller's to see."""
    ways = []
    if sight.own:
        ways.append(f"{at}.institution_id = {reading.of_call(institution_id, 'integer')}")
    if sight.insurance is not None:
        ways.append(f"{at}.insurance = {reading.fixed(sight.insurance, 'text')}")
    return f"({' OR '.join(ways)})" if ways else "FALSE"


async def refunds(call: Call, status: str | None, first: int | None, after: str | None, asked: Asked) -> Page:
    """Return the refunds that the caller may see, the oldest first."""
    place = place_of(call, "Refund", first, after)
    statement = _page_of_refunds(asked, sight_of(call), status, place.is_first)
    return page(await statement.get(call, *place.given), place)


@composed
def _page_of_refunds(asked: Asked, sight: Sight, status: str | None, is_first: bool) -> Statement[tuple[Refund, ...]]:
    reading = Reading()
    conditions = [visible_refund(reading, "r", sight)]
    if status is not None:
        conditions.append(f"r.approved {_APPROVED[status]}")
    found = refund_shape(reading, "r", node_asked(asked, "RefundEdge", "Refund"))
    return page_statement(reading, found, "refunds AS r", "r.id", conditions, is_first=is_first)


async def request_refund(call: Call, bank_reference: str, reason: str, asked: Asked) -> RefundRequested:
    """Ask for the refund of a payment whose business date is over. Safe to repeat.

    Raises PaymentNotFound or PaymentNotRefundable.
    """
    return await move(call, _request(asked, call.signature is not None), bank_reference, reason)


@composed
def _request(asked: Asked, signed: bool) -> Statement[RefundRequested]:
    reading = Reading()
    function = f"""request_refund(
        {reading.of_call(institution_id, "integer")},
        {reading.of_call(client_id, "text")},
        {reading.given("text")},
        {reading.given("text")},
        {reading.of_call(business_date, "date")}
    )"""
    refund = refund_shape(reading, "r", asked_below(asked, "refund", "Refund"))
    payment = shape("Payment", reading, "p", asked_below(asked, "payment", "Payment"))
    columns = f"""
        o.outcome,
        o.status,
        (SELECT {refund.row} FROM refunds AS r WHERE r.id = (o.refund).id) AS refund,
        (SELECT {payment.row} FROM payments AS p WHERE p.id = (o.payment).id) AS payment
    """

    def read(outcome: Row, call: Call) -> RefundRequested:
        if outcome["refund"] is None:
            raise _refusal(outcome)
        return RefundRequested(
            refund.read(outcome["refund"], call),
            payment.read(outcome["payment"], call),
            replayed=outcome["outcome"] == "REPLAYED",
        )

    return moving(reading, function, _SHADOWS, columns, read, signed=signed)


async def decide_refund(call: Call, refund_id: str, approve: bool, reason: str, asked: Asked) -> RefundDecided:
    """Grant or reject a refund of the agency's own insurance. Safe to repeat.

    Raises RefundNotFound, or RefundNotDecidable when it has been decided otherwise.
    """
    statement = _decide(asked, call.signature is not None)
    return await move(call, statement, call.row_id("Refund", refund_id), approve, reason)


@composed
def _decide(asked: Asked, signed: bool) -> Statement[RefundDecided]:
    reading = Reading()
    function = f"""decide_refund(
        {reading.of_call(client_id, "text")},
        {reading.of_call(lambda call: INSURANCE_OF_AGENCY.get(call.caller.institution_kind), "text")},
        {reading.given("bigint")},
        {reading.given("boolean")},
        {reading.given("text")}
    )"""
    refund = refund_shape(reading, "r", asked_below(asked, "refund", "Refund"))
    columns = f"""
        o.outcome,
        o.status,
        (SELECT {refund.row} FROM refunds AS r WHERE r.id = (o.refund).id) AS refund
    """

    def read(outcome: Row, call: Call) -> RefundDecided:
        if outcome["refund"] is None:
            raise _refusal(outcome)
        return RefundDecided(refund.read(outcome["refund"], call), replayed=outcome["outcome"] == "REPLAYED")

    return moving(reading, function, _SHADOWS, columns, read, signed=signed)


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
