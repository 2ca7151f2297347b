"""What a quote and an assessed bill have in common: a payment may settle each, and leads back to it."""

from typing import Any

from resolvers.asking import Ask
from resolvers.call import Call
from resolvers.reading import Column, Reading, Row, institution_id, optional, shape
from resolvers.records import AssessedBill, Quote


def standing_payment(reading: Reading, payable_column: str, at: str, ask: Ask) -> Column:
    """Return the payment that settles a payable, if it went through the caller's institution.

    `payable_column` is the column of `payments` that refers to the payable, `at` the payable's own alias.
    """
    own = reading.alias("p")
    payment = shape("Payment", reading, own, ask.asked_of("Payment"))
    sql = f"""(
        SELECT {payment.row} FROM payments AS {own}
        WHERE
            {own}.{payable_column} = {at}.id AND {own}.reversed_at IS NULL AND {own}.refunded_at IS NULL
            AND {own}.institution_id = {reading.of_call(institution_id, "integer")}
    )"""
    return Column(ask.key, sql, optional(payment.read))


def payable_of_payment(reading: Reading, at: str, ask: Ask) -> Column:
    """Return what a payment settled, `at` being the payment's alias."""
    q, b = reading.alias("q"), reading.alias("b")
    quote = shape("Quote", reading, q, ask.asked_of("Quote"))
    bill = shape("AssessedBill", reading, b, ask.asked_of("AssessedBill"))
    sql = f"""ROW(
        (SELECT {quote.row} FROM quotes AS {q} WHERE {q}.id = {at}.quote_id),
        (SELECT {bill.row} FROM bills AS {b} WHERE {b}.id = {at}.bill_id)
    )"""

    def read(row: Row, call: Call) -> Quote | AssessedBill:
        payable: Any = bill.read(row[1], call) if row[0] is None else quote.read(row[0], call)
        return payable  # type: ignore[no-any-return]

    return Column(ask.key, sql, read)
