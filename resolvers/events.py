"""What happened that an institution wants to know: read by sequence number, from any number on."""

import re

from contributions.problems import BadInput
from resolvers.asking import Ask, Asked
from resolvers.call import Call
from resolvers.event_records import BillEvent, PaymentEvent
from resolvers.pages import Place, node_asked, page, page_size, page_statement
from resolvers.reading import (
    Column,
    Reading,
    Row,
    Shape,
    Statement,
    composed,
    institution_id,
    optional,
    shape,
    with_answers,
)
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
    place = Place(size, None if after is None else int(after))
    nodes = await _page_of_events(asked, place.is_first).get(call, *place.given)
    return page(nodes, place, lambda node: str(node.sequence))


@composed
def _page_of_events(asked: Asked, is_first: bool) -> Statement[tuple[PaymentEvent | BillEvent, ...]]:
    reading = Reading()
    found = _event_shape(
        reading,
        "e",
        node_asked(asked, "EventEdge", "PaymentEvent"),
        node_asked(asked, "EventEdge", "BillEvent"),
    )
    # An event has no number before it is committed, and none that is read here is above another still to come.
    own = f"e.institution_id = {reading.of_call(institution_id, 'integer')}"
    return page_statement(reading, found, "events AS e", "e.sequence", [own, "e.sequence > 0"], is_first=is_first)


def _event_shape(reading: Reading, at: str, of_payment: Asked, of_bill: Asked) -> Shape[PaymentEvent | BillEvent]:
    """Read an event from the row of `events` at this alias."""
    columns = (f"{at}.message_id::text", f"{at}.sequence", f"{at}.kind", f"{at}.occurred_at", f"{at}.bill_id IS NULL")
    answers = [
        *(_subject(reading, "payments", f"{at}.payment_id", "Payment", ask) for ask in of_payment),
        *(_subject(reading, "bills", f"{at}.bill_id", "AssessedBill", ask) for ask in of_bill),
    ]

    def make(row: Row, found: Answers, _call: Call) -> PaymentEvent | BillEvent:
        message_id, sequence, kind, occurred_at, is_of_payment = row[:5]
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
