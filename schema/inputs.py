"""What mutations are given, and the limits of the free text in it."""

import datetime
import re

import strawberry

from contributions.problems import BadInput
from schema.enums import Insurance
from schema.scalars import ResidentId, YearMonth, Yuan

#: A bank's reference: printable ASCII, no spaces.
_BANK_REFERENCE = re.compile(r"[!-~]{1,64}")

#: Names of branches and tellers: as long as any bank's, short enough for a line of a list.
MAX_LABEL_LENGTH = 64
#: A reason that a person types in: a few sentences.
MAX_REASON_LENGTH = 500


@strawberry.input(description="A run of months inside one CURRENT_YEAR payable period, at one tier.")
class RequestQuoteInput:
    payer_id: strawberry.ID
    insurance: Insurance = Insurance.PENSION
    first_month: YearMonth
    last_month: YearMonth
    tier: str = strawberry.field(description="The code of one of the period's tiers.")


@strawberry.input(description="A run of months inside one ARREARS payable period.")
class RequestAssessmentInput:
    payer_id: strawberry.ID
    insurance: Insurance = Insurance.PENSION
    first_month: YearMonth
    last_month: YearMonth


@strawberry.input(description="A payment that the bank has collected.")
class SubmitPaymentInput:
    payable_id: strawberry.ID = strawberry.field(description="The id of a quote or an assessed bill.")
    amount: Yuan = strawberry.field(description="Exactly the payable's amount.")
    bank_reference: str = strawberry.field(
        description="The bank's own serial number: 1 to 64 printable ASCII characters without spaces."
    )
    collected_at: datetime.datetime
    branch: str | None = None
    teller: str | None = None


@strawberry.input(description="The payment to undo, on its own business day.")
class ReversePaymentInput:
    bank_reference: str
    reason: str


@strawberry.input(description="One payment as the bank holds it.")
class BankEntryInput:
    bank_reference: str
    amount: Yuan
    reversed: bool = strawberry.field(default=False, description="Whether the bank holds it as reversed.")


@strawberry.input(description="The bank's own list of a business day.")
class ReconcileDayInput:
    date: datetime.date
    entries: list[BankEntryInput]


@strawberry.input(description="One bill that an agency assessed.")
class BillInput:
    bill_number: str
    resident_id: ResidentId
    name: str
    insurance: Insurance
    pooling_area: str
    first_month: YearMonth
    last_month: YearMonth
    amount: Yuan
    pay_by: datetime.date | None = None


@strawberry.input(description="A batch of assessed bills: all or none.")
class AssessBillsInput:
    batch: str = strawberry.field(description="The agency's own name of the batch, used once.")
    bills: list[BillInput] = strawberry.field(description="At most 1000.")


@strawberry.input(description="The bill to withdraw, by the agency's own number.")
class WithdrawBillInput:
    bill_number: str
    reason: str


@strawberry.input(description="The payment to refund, after its business day.")
class RequestRefundInput:
    bank_reference: str
    reason: str


@strawberry.input(description="What the agency says to a request for a refund.")
class DecideRefundInput:
    refund_id: strawberry.ID
    approve: bool = strawberry.field(description="true: the payment is refunded. false: the request is rejected.")
    reason: str


def bank_reference(value: str, field: str) -> str:
    """Return a bank's reference. Raises BadInput that names `field`."""
    if _BANK_REFERENCE.fullmatch(value) is None:
        raise BadInput(field, "must be 1 to 64 printable ASCII characters without spaces")
    return value


def text(value: str, field: str, max_length: int) -> str:
    """Return free text without the white space around it. Raises BadInput that names `field`."""
    value = value.strip()
    if not 1 <= len(value) <= max_length or not value.isprintable():
        raise BadInput(field, f"must be 1 to {max_length} printable characters")
    return value


def optional_text(value: str | None, field: str, max_length: int) -> str | None:
    """Return free text that may be left out. Raises BadInput that names `field`."""
    return None if value is None else text(value, field, max_length)
