"""Payments: taken once, found again by the bank's own reference, undone on their own day."""

import datetime
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import asyncpg

from contributions import problems
from resolvers.asking import Ask, Asked
from resolvers.call import Call
from resolvers.pages import node_asked, page_reader, page_size, row_after
from resolvers.payables import payable_of_payment
from resolvers.reading import Column, Reading, Row, Shape, optional, shape, shape_of, with_answers
from resolvers.records import Answers, Page, Payment, PaymentAccepted, PaymentReversed
from resolvers.refunds import refund_of_payment
from resolvers.shadow import move, shadow

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

    def make(row: Row, answers: Answers) -> Payment:
        row_id, bank_reference, amount, status, channel, business_date, *times = row
        collected_at, accepted_at, posted_at, reversed_at = times
        return Payment(
            id=reading.call.opaque_id("Payment", row_id),
            bank_reference=bank_reference,
            amount=amount,
            status=status,
            channel=channel,
            business_date=business_date,
            collected_at=collected_at,
            accepted_at=accepted_at,
            posted_at=posted_at,
            reversed_at=reversed_at,
            answers=answers,
        )

    answers = [_ANSWERS[ask.name](reading, at, ask) for ask in asked if ask.name in _ANSWERS]
    return with_answers(columns, answers, make)


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
    reading = Reading(call)
    found = payment_shape(reading, "p", asked)
    row = await reading.fetch_row(
        f"""
        SELECT {", ".join(found.columns)} FROM payments AS p
        WHERE
            p.institution_id = {reading.bind(call.caller.institution_id, "integer")}
            AND p.bank_reference = {reading.bind(bank_reference, "text")}
        """
    )
    return None if row is None else found.read(row)


async def payments(
    call: Call, on: datetime.date, status: str | None, first: int | None, after: str | None, asked: Asked
) -> Page:
    """Return the payments of the caller's institution on one business day, in the order of acceptance."""
    reading = Reading(call)
    size = page_size(first, "first")
    conditions = [
        f"p.institution_id = {reading.bind(call.caller.institution_id, 'integer')}",
        f"p.business_date = {reading.bind(on, 'date')}",
    ]
    if after is not None:
        after_id = row_after(call, "Payment", after, "after")
        conditions.append(f"p.id > {reading.bind(after_id, 'bigint')}")
    if status is not None:
        conditions.append(f"{status_of('p')} = {reading.bind(status, 'text')}")
    found = payment_shape(reading, "p", node_asked(asked, "PaymentEdge", "Payment"))
    row = await reading.fetch_row(
        f"""
        SELECT ARRAY(
            SELECT {found.row} FROM payments AS p
            WHERE {" AND ".join(conditions)}
            ORDER BY p.id
            LIMIT {reading.bind(size + 1, "integer")}
        )
        """
    )
    assert row is not None  # a SELECT without FROM has one row
    return page_reader(found, size, lambda node: str(node.id), after=after)(row[0])


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
    quote_id = call.row_id("Quote", submission.payable_id)
    bill_id = call.row_id("AssessedBill", submission.payable_id)
    code = "".join(secrets.choice(CROCKFORD_BASE32) for _ in range(VERIFICATION_CODE_LENGTH))

    def arguments(reading: Reading) -> str:
        bind = reading.bind
        return f"""submit_payment(
            {bind(call.caller.institution_id, "integer")},
            {bind(call.caller.client_id, "text")},
            {bind(call.caller.channel, "text")},
            {bind(quote_id, "bigint")},
            {bind(bill_id, "bigint")},
            {bind(submission.amount, "numeric")},
            {bind(submission.bank_reference, "text")},
            {bind(submission.collected_at, "timestamptz")},
            {bind(submission.branch, "text")},
            {bind(submission.teller, "text")},
            {bind(call.business_date, "date")},
            {bind(code, "text")}
        )"""

    outcome, payment = await _move_money(call, arguments, asked)
    if payment is None:
        raise _refusal(outcome)
    return PaymentAccepted(payment, replayed=outcome["outcome"] == "REPLAYED")


async def reverse_payment(call: Call, bank_reference: str, reason: str, asked: Asked) -> PaymentReversed:
    """Undo a payment on its own business day. Safe to repeat.

    Raises PaymentNotFound or PaymentNotReversible.
    """

    def arguments(reading: Reading) -> str:
        bind = reading.bind
        return f"""reverse_payment(
            {bind(call.caller.institution_id, "integer")},
            {bind(call.caller.client_id, "text")},
            {bind(bank_reference, "text")},
            {bind(reason, "text")},
            {bind(call.business_date, "date")}
        )"""

    outcome, payment = await _move_money(call, arguments, asked)
    if outcome["outcome"] not in ("REVERSED", "REPLAYED"):
        raise _refusal(outcome)
    assert payment is not None  # reverse_payment returns what it reversed
    return PaymentReversed(payment, replayed=outcome["outcome"] == "REPLAYED")


async def _move_money(
    call: Call, arguments: Callable[[Reading], str], asked: Asked
) -> tuple[asyncpg.Record, Payment | None]:
    """Run one function that moves money, and read the tree of its payment in the same statement."""
    reading = Reading(call)
    function = arguments(reading)
    payment = payment_shape(reading, "p", asked)
    row = await move(
        reading,
        function,
        (
            shadow("payments", "id", "payment"),
            shadow("receipts", "payment_id", "receipt"),
            shadow("contributions", "id", "contribution"),
        ),
        f"""
        o.outcome,
        ARRAY(
            SELECT generate_series(lower(r), upper(r) - 1) FROM unnest(o.paid_months) AS r
        ) AS paid_months,
        o.expected,
        o.status,
        o.expired_at,
        (SELECT {payment.row} FROM payments AS p WHERE p.id = (o.payment).id) AS payment
        """,
    )
    return row, optional(payment.read)(row["payment"])


def _refusal(outcome: asyncpg.Record) -> problems.Refusal:
    match outcome["outcome"]:
        case "PAYABLE_NOT_FOUND":
            return problems.PayableNotFound()
        case "MONTHS_ALREADY_PAID":
            return problems.MonthsAlreadyPaid(tuple(outcome["paid_months"]))
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
