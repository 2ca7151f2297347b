"""Payments: taken once, found again by the bank's own reference, undone on their own day."""

import datetime
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

import asyncpg

from contributions import problems
from resolvers.asking import Ask, Asked, asks
from resolvers.call import Call
from resolvers.identified import identified
from resolvers.pages import node_asked, page, page_statement, place_of
from resolvers.payables import payable_of_payment
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
from resolvers.records import Page, Payment, PaymentAccepted, PaymentReversed
from resolvers.refunds import refund_of_payment
from resolvers.shadow import move, moving, shadow

Moved = TypeVar("Moved", PaymentAccepted, PaymentReversed)

#: What a third party types in to check a voucher: 12 characters of Crockford's base 32 are 60 random bits.
VERIFICATION_CODE_LENGTH = 12
CROCKFORD_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def status_of(at: str) -> str:
    """Return the SQL of a payment's status, `at` being the payment's alias."""
    return f"""CASE
        WHEN {at}.refunded_at IS NOT NULL THEN 'REFUNDED'
        WHEN {at}.reversed_at IS NOT NULL THEN 'REVERSED'
        WHEN {at}.posted_at IS NOT NULL THEN 'POSTED'
        ELSE 'ACCEPTED'
    END"""


@shape_of("Payment")
def payment_shape(reading: Reading, at: str, asked: Asked) -> Shape[Payment]:
    """Read a payment from the row of `payments` at this alias."""
    columns = (
        f"{at}.id",
        f"{at}.bank_reference",
        f"{at}.amount",
        status_of(at),
        f"{at}.channel",
        f"{at}.business_date",
        f"{at}.collected_at",
        f"{at}.accepted_at",
        f"{at}.posted_at",
        f"{at}.reversed_at",
    )

    answers = [_ANSWERS[ask.name](reading, at, ask) for ask in asked if ask.name in _ANSWERS]
    return identified(Payment, columns, answers)


def _receipt(reading: Reading, at: str, ask: Ask) -> Column:
    receipt = shape("Receipt", reading, at, ask.asked_of("Receipt"))
    return Column(ask.key, receipt.row, receipt.read)


_ANSWERS: dict[str, Callable[[Reading, str, Ask], Column]] = {
    "payable": payable_of_payment,
    "receipt": _receipt,
    "refund": refund_of_payment,
}


async def payment(call: Call, bank_reference: str, asked: Asked) -> Payment | None:
    """Return the payment that the caller's institution submitted under its own reference."""
    return await _payment_of_reference(asked).find(call, bank_reference)


@composed
def _payment_of_reference(asked: Asked) -> Statement[Payment]:
    reading = Reading()
    found = payment_shape(reading, "p", asked)
    sql = f"""
        SELECT {", ".join(found.columns)} FROM payments AS p
        WHERE
            p.institution_id = {reading.of_call(institution_id, "integer")}
            AND p.bank_reference = {reading.given("text")}
    """
    return reading.statement(sql, found.read)


async def payments(
    call: Call, on: datetime.date, status: str | None, first: int | None, after: str | None, asked: Asked
) -> Page:
    """Return the payments of the caller's institution on one business day, in the order of acceptance."""
    place = place_of(call, "Payment", first, after)
    statement = _page_of_payments(asked, status, place.is_first)
    return page(await statement.get(call, on, *place.given), place)


@composed
def _page_of_payments(asked: Asked, status: str | None, is_first: bool) -> Statement[tuple[Payment, ...]]:
    reading = Reading()
    conditions = [
        f"p.institution_id = {reading.of_call(institution_id, 'integer')}",
        f"p.business_date = {reading.given('date')}",
    ]
    if status is not None:
        conditions.append(f"{status_of('p')} = {reading.fixed(status, 'text')}")
    found = payment_shape(reading, "p", node_asked(asked, "PaymentEdge", "Payment"))
    return page_statement(reading, found, "payments AS p", "p.id", conditions, is_first=is_first)


@dataclass(frozen=True, slots=True)
class Submission:
    """A payment as the bank submits it: the money has been collected."""

    payable_id: str
    amount: Decimal
    bank_reference: str
    collected_at: datetime.datetime
    branch: str | None
    teller: str | None


async def submit_payment(call: Call, submission: Submission, asked: Asked) -> PaymentAccepted:
    """Take a payment into the ledger, with its receipt, in one statement.

    Safe to repeat under the same reference. Raises PayableNotFound, QuoteExpired, BillNotPayable,
    MonthsAlreadyPaid, AmountMismatch or BankReferenceReused; nothing has been recorded then.
    """
    kind, row_id = call.row_of(submission.payable_id) or (None, None)
    return await move(
        call,
        _submit(asked, call.signature is not None),
        row_id if kind == "Quote" else None,
        row_id if kind == "AssessedBill" else None,
        submission.amount,
        submission.bank_reference,
        submission.collected_at,
        submission.branch,
        submission.teller,
        _verification_code(),
    )


def _verification_code() -> str:
    # There are 32 digits, so that each is as likely.
    return "".join([CROCKFORD_BASE32[byte % 32] for byte in secrets.token_bytes(VERIFICATION_CODE_LENGTH)])


@composed
def _submit(asked: Asked, signed: bool) -> Statement[PaymentAccepted]:
    reading = Reading()
    given = reading.given
    function = f"""submit_payment(
        {reading.of_call(institution_id, "integer")},
        {reading.of_call(client_id, "text")},
        {reading.of_call(lambda call: call.caller.channel, "text")},
        {given("bigint")},
        {given("bigint")},
        {given("numeric")},
        {given("text")},
        {given("timestamptz")},
        {given("text")},
        {given("text")},
        {reading.of_call(business_date, "date")},
        {given("text")}
    )"""

    def answer(outcome: Row, payment: Payment | None) -> PaymentAccepted:
        if payment is None:
            raise _refusal(outcome)
        return PaymentAccepted(payment, replayed=outcome["outcome"] == "REPLAYED")

    return _moving_money(reading, function, asked, answer, signed=signed)


async def reverse_payment(call: Call, bank_reference: str, reason: str, asked: Asked) -> PaymentReversed:
    """Undo a payment on its own business day. Safe to repeat.

    Raises PaymentNotFound or PaymentNotReversible.
    """
    return await move(call, _reverse(asked, call.signature is not None), bank_reference, reason)


@composed
def _reverse(asked: Asked, signed: bool) -> Statement[PaymentReversed]:
    reading = Reading()
    function = f"""reverse_payment(
        {reading.of_call(institution_id, "integer")},
        {reading.of_call(client_id, "text")},
        {reading.given("text")},
        {reading.given("text")},
        {reading.of_call(business_date, "date")}
    )"""

    def answer(outcome: Row, payment: Payment | None) -> PaymentReversed:
        if outcome["outcome"] not in ("REVERSED", "REPLAYED"):
            raise _refusal(outcome)
        assert payment is not None  # reverse_payment returns what it reversed
        return PaymentReversed(payment, replayed=outcome["outcome"] == "REPLAYED")

    return _moving_money(reading, function, asked, answer, signed=signed)


def _moving_money(
    reading: Reading, function: str, asked: Asked, answer: Callable[[Row, Payment | None], Moved], *, signed: bool
) -> Statement[Moved]:
    """Return the statement of one function that moves money, which reads the tree of its payment as well."""
    payment = payment_shape(reading, "p", asked)
    read_payment = optional(payment.read)
    columns = f"""
        o.outcome,
        o.paid_months,
        o.expected,
        o.status,
        o.expired_at,
        (SELECT {payment.row} FROM (SELECT (o.payment).*) AS p WHERE p.id IS NOT NULL) AS payment
    """
    # By way of its payable, a payment that was repeated may lead to another one.
    alone = not asks(asked, "payable")
    shadows = (
        shadow("payments", "id", "payment", alone=alone),
        shadow("receipts", "payment_id", "receipt", alone=alone),
        shadow("contributions", "id", "contribution"),
    )

    def read(outcome: Row, call: Call) -> Moved:
        return answer(outcome, read_payment(outcome["payment"], call))

    return moving(reading, function, shadows, columns, read, signed=signed)


def _refusal(outcome: asyncpg.Record) -> problems.Refusal:
    match outcome["outcome"]:
        case "PAYABLE_NOT_FOUND":
            return problems.PayableNotFound()
        case "MONTHS_ALREADY_PAID":
            runs = outcome["paid_months"]
            return problems.MonthsAlreadyPaid(tuple(month for run in runs for month in range(run.lower, run.upper)))
        case "QUOTE_EXPIRED":
            return problems.QuoteExpired(outcome["expired_at"])
        case "BILL_NOT_PAYABLE":
            return problems.BillNotPayable(outcome["status"])
        case "AMOUNT_MISMATCH":
            return problems.AmountMismatch(outcome["expected"])
        case "BANK_REFERENCE_REUSED":
            return problems.BankReferenceReused()
        case "PAYMENT_NOT_FOUND":
            return problems.PaymentNotFound()
        case "PAYMENT_NOT_REVERSIBLE":
            return problems.PaymentNotReversible(outcome["status"])
        case unknown:
            raise AssertionError(f"the ledger answered {unknown}")
