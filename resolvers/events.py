"""What happened that an institution wants to know: read by sequence number, from any number on."""

import re

from contributions.problems import BadInput
from resolvers.asking import Ask, Asked
from resolvers.call import Call
from resolvers.event_records import BillEvent, PaymentEvent
from resolvers.pages import node_asked, page_reader, page_size
from resolvers.reading import Column, Reading, Row, Shape, optional, shape, with_answers
from resolvers.records import Answers, Page

#: A cursor is the sequence number itself, in ASCII digits. So many are a bigint, whatever they are.
_CURSOR = re.compile(r"[0-9]{1,18}", re.ASCII)


async def events(call: Call, first: int | None, after: str | None, asked: Asked) -> Page:
    """Return the events of the caller's institution in the order of their sequence numbers.

    `after` is a sequence number in decimal digits; "0" begins at the first. Raises BadInput for anything else.
    """
    size = page_size(first, "first")
    if after is not None and _CURSOR.fullmatch(after) is None:
        raise BadInput("after", "must be a sequence number in decimal digits")
    reading = Reading(call)
    found = _event_shape(
        reading,
        "e",
        node_asked(asked, "EventEdge", "PaymentEvent"),
        node_asked(asked, "EventEdge", "BillEvent"),
    )
    # An event has no number before it is committed, and none that is read here is above another still to come.
    row = await reading.fetch_row(
        f"""
        SELECT ARRAY(
            SELECT {found.row} FROM events AS e
            WHERE
                e.institution_id = {reading.bind(call.caller.institution_id, "integer")}
                AND e.sequence > {reading.bind(int(after or 0), "bigint")}
            ORDER BY e.sequence
            LIMIT {reading.bind(size + 1, "integer")}
        )
        """
    )
    assert row is not None  # a SELECT without FROM has one row
    return page_reader(found, size, lambda node: str(node.sequence), after=after)(row[0])


def _event_shape(reading: Reading, at: str, of_payment: Asked, of_bill: Asked) -> Shape[PaymentEvent | BillEvent]:
    """Read an event from the row of `events` at this alias."""
    columns = (f"{at}.message_id::text", f"{at}.sequence", f"{at}.kind", f"{at}.occurred_at", f"{at}.bill_id IS NULL")
    answers = [
        *(_subject(reading, "payments", f"{at}.payment_id", "Payment", ask) for ask in of_payment),
        *(_subject(reading, "bills", f"{at}.bill_id", "AssessedBill", ask) for ask in of_bill),
    ]

    def make(row: Row, found: Answers) -> PaymentEvent | BillEvent:
        message_id, sequence, kind, occurred_at, is_of_payment = row
        record = PaymentEvent if is_of_payment else BillEvent
        return record(message_id, sequence, kind, occurred_at, found)

    return with_answers(columns, answers, make)


def _subject(reading: Reading, table: str, row_id: str, kind: str, ask: Ask) -> Column:
    """Return what an event is of: a payment or a bill, as it is now; None where it is of the other."""
    own = reading.alias("s")
    subject = shape(kind, reading, own, ask.asked_of(kind))
    return Column(
        ask.key, f"(SELECT {subject.row} FROM {table} AS {own} WHERE {own}.id = {row_id})", optional(subject.read)
    )
