"""The plain records that resolvers return.

Months are month numbers (`contributions.months`), money is Decimal yuan. `answers` holds the attributes that
take arguments or lead to other records, under `asking.key_of`.
"""

import datetime
from collections.abc import Callable, Hashable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from contributions.plain import record
from contributions.records import Line, RunOfMonths, Schedule, Tier

Answers = Mapping[Hashable, Any]


@record
class Identified:
    """A record of one row. Its id is the caller's institution's own, and is worked out when somebody asks for it."""

    kind: ClassVar[str]

    #: Makes the id of kind and row.
    opaque_id: Callable[[str, int], str]
    row_id: int

    @property
    def id(self) -> str:
        """Return the id."""
        return self.opaque_id(self.kind, self.row_id)


@record
class PoolingArea:
    """统筹地区."""

    code: str
    name: str


@record
class Enrolment:
    """参保: from its first month on, to its last if it ended."""

    insurance: str
    pooling_area: PoolingArea
    first_month: int
    last_month: int | None


@record
class ScheduleInArea:
    """A published schedule with the pooling area that published it."""

    schedule: Schedule
    pooling_area: PoolingArea


@record
class Payer(Identified):
    """缴费人."""

    kind: ClassVar[str] = "Payer"

    masked_name: str
    masked_resident_id: str
    answers: Answers


@record
class Quote(Identified, RunOfMonths):
    """A price for a run of months, at one tier."""

    kind: ClassVar[str] = "Quote"

    insurance: str
    first_month: int
    last_month: int
    amount: Decimal
    tier: Tier
    lines: tuple[Line, ...]
    status: str
    expires_at: datetime.datetime
    answers: Answers


@record
class AssessedBill(Identified, RunOfMonths):
    """核定: an amount that an agency set for a run of months."""

    kind: ClassVar[str] = "AssessedBill"

    bill_number: str
    origin: str
    insurance: str
    first_month: int
    last_month: int
    amount: Decimal
    assessed_at: datetime.datetime
    pay_by: datetime.date | None
    status: str
    answers: Answers

    @property
    def pooling_area(self) -> PoolingArea:
        """Return the pooling area, which is read where it is asked for."""
        area: PoolingArea = self.answers["pooling_area"]
        return area


@record
class Payment(Identified):
    """A payment that the gateway accepted."""

    kind: ClassVar[str] = "Payment"

    bank_reference: str
    amount: Decimal
    status: str
    channel: str | None
    business_date: datetime.date
    collected_at: datetime.datetime
    accepted_at: datetime.datetime
    posted_at: datetime.datetime | None
    reversed_at: datetime.datetime | None
    answers: Answers


@record
class Receipt(Identified):
    """电子缴费凭证, of a payment through the caller's institution."""

    kind: ClassVar[str] = "Receipt"

    number: str
    status: str
    masked_name: str
    masked_resident_id: str
    insurance: str
    pooling_area: PoolingArea
    first_month: int
    last_month: int
    amount: Decimal
    bank_reference: str
    issued_at: datetime.datetime
    verification_code: str


@record
class Institution:
    """A collecting bank or the tax authority."""

    code: str
    name: str


@record
class Refund(Identified):
    """退费: one request to give a payment back, with the facts of the payment, and what became of it."""

    kind: ClassVar[str] = "Refund"

    status: str
    reason: str
    requested_at: datetime.datetime
    decided_at: datetime.datetime | None
    decision_reason: str | None
    institution: Institution
    bank_reference: str
    receipt_number: str
    insurance: str
    pooling_area: PoolingArea
    first_month: int
    last_month: int
    amount: Decimal
    masked_name: str
    masked_resident_id: str
    business_date: datetime.date


@record
class SettlementTotal:
    """How many payments, and how much together."""

    count: int
    amount: Decimal


@record
class SettlementDifference:
    """One way in which the bank's list and the ledger differ."""

    kind: str
    bank_reference: str
    gateway_amount: Decimal | None
    bank_amount: Decimal | None


@record
class SettlementDay:
    """One institution's business day."""

    date: datetime.date
    status: str
    accepted: SettlementTotal
    reversed: SettlementTotal
    reconciled_at: datetime.datetime | None
    answers: Answers

    @property
    def net(self) -> SettlementTotal:
        """Return what remains of the accepted payments."""
        return SettlementTotal(self.accepted.count - self.reversed.count, self.accepted.amount - self.reversed.amount)


@record
class PaymentAccepted:
    """A payment that is in the ledger; replayed when it had been accepted before."""

    payment: Payment
    replayed: bool


@record
class PaymentReversed:
    """A payment that is reversed; replayed when it had been reversed before."""

    payment: Payment
    replayed: bool


@record
class RefundRequested:
    """A request that stands; replayed when it had been made before."""

    refund: Refund
    payment: Payment
    replayed: bool


@record
class RefundDecided:
    """A refund with its decision; replayed when it had been decided so before."""

    refund: Refund
    replayed: bool


@record
class BillsAssessed:
    """An agency's batch, taken over; replayed when it had been before."""

    batch: str
    bills: tuple[AssessedBill, ...]
    replayed: bool


@record
class Edge:
    """A node of a page."""

    node: Any
    cursor_of: Callable[[Any], str]

    @property
    def cursor(self) -> str:
        """Return the position after which the next page begins."""
        return self.cursor_of(self.node)


@record
class Page:
    """One page of a connection, in the order of the Relay cursor specification."""

    edges: tuple[Edge, ...]
    has_next_page: bool
    has_previous_page: bool

    @property
    def start_cursor(self) -> str | None:
        """Return the position of the first node, None on an empty page."""
        return self.edges[0].cursor if self.edges else None

    @property
    def end_cursor(self) -> str | None:
        """Return the position of the last node, None on an empty page."""
        return self.edges[-1].cursor if self.edges else None
