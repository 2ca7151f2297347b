"""The plain records of events and callbacks."""

import datetime
from dataclasses import field

from contributions.plain import record
from resolvers.records import Answers


@record
class PaymentEvent:
    """What happened to a payment. The id is that of the message that tells it."""

    id: str
    sequence: int
    kind: str
    occurred_at: datetime.datetime
    answers: Answers


@record
class BillEvent:
    """What happened to a bill of a payer whom the institution has named. The id is that of the message."""

    id: str
    sequence: int
    kind: str
    occurred_at: datetime.datetime
    answers: Answers


@record
class Callback:
    """Where a client has its events sent; how many wait for their next try, and how many have had their last."""

    url: str
    registered_at: datetime.datetime
    waiting: int
    failed: int


@record
class CallbackRegistered:
    """A callback with the secret that signs what is sent to it, in clear this once."""

    callback: Callback
    secret: str = field(repr=False)
