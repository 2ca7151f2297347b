"""The refusals that a caller can act on, as plain data, and bad input.

Each refusal is a Problem of the contract: `code` is stable and for programs, `next_action` says what the
bank should do. Nothing in them names a person.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from contributions.records import Period, Tier

NextAction = Literal["CORRECT_REQUEST", "REQUOTE", "RETURN_MONEY", "REQUEST_REFUND", "RETRY_LATER"]


class BadInput(Exception):
    """A value that cannot be read. `field` is its dotted path ("input.lastMonth"); str() gives both.

    The message never repeats the value: it may be an identity number.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)
        self.field = field
        self.message = message

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class Refusal(Exception):
    """A rule said no. The base of every Problem."""

    code: str
    next_action: NextAction

    def __str__(self) -> str:
        return self.code


class PayerNotFound(Refusal):
    """No such person is known, or the name does not match, or the id is not the caller's."""

    code = "PAYER_NOT_FOUND"
    next_action = "CORRECT_REQUEST"


class PeriodNotPayable(Refusal):
    """The months are no run inside one payable period; `payable` are the periods there are.

    With code SCHEDULE_MISSING they are, but a year of theirs has no schedule yet.
    """

    code = "PERIOD_NOT_PAYABLE"
    next_action: NextAction = "CORRECT_REQUEST"

    def __init__(
        self,
        payable: tuple[Period, ...],
        code: Literal["PERIOD_NOT_PAYABLE", "SCHEDULE_MISSING"] = "PERIOD_NOT_PAYABLE",
    ) -> None:
        super().__init__(payable, code)
        self.payable = payable
        self.code = code
        if code == "SCHEDULE_MISSING":
            self.next_action = "RETRY_LATER"


class TierNotOffered(Refusal):
    """The schedule has no such tier; `offered` are those it has."""

    code = "TIER_NOT_OFFERED"
    next_action = "CORRECT_REQUEST"

    def __init__(self, offered: tuple[Tier, ...]) -> None:
        super().__init__(offered)
        self.offered = offered


class PayableNotFound(Refusal):
    """No such quote or bill, or not one the caller may see."""

    code = "PAYABLE_NOT_FOUND"
    next_action = "CORRECT_REQUEST"


class QuoteExpired(Refusal):
    """The quote's price no longer holds."""

    code = "QUOTE_EXPIRED"
    next_action = "REQUOTE"

    def __init__(self, expired_at: datetime) -> None:
        super().__init__(expired_at)
        self.expired_at = expired_at


class BillNotPayable(Refusal):
    """The bill is paid, expired or withdrawn; `status` says which."""

    code = "BILL_NOT_PAYABLE"
    next_action: NextAction = "RETURN_MONEY"

    def __init__(self, status: str, next_action: NextAction = "RETURN_MONEY") -> None:
        super().__init__(status, next_action)
        self.status = status
        # An agency that would withdraw the bill holds no money.
        self.next_action = next_action


class MonthsAlreadyPaid(Refusal):
    """Another payment settled `months`, given in order."""

    code = "MONTHS_ALREADY_PAID"
    next_action = "RETURN_MONEY"

    def __init__(self, months: tuple[int, ...]) -> None:
        super().__init__(months)
        self.months = months


class AmountMismatch(Refusal):
    """The amount is not exactly the payable's, which is `expected` yuan."""

    code = "AMOUNT_MISMATCH"
    next_action = "CORRECT_REQUEST"

    def __init__(self, expected: Decimal) -> None:
        super().__init__(expected)
        self.expected = expected


class BankReferenceReused(Refusal):
    """The institution has used this bank reference for a payment of other content."""

    code = "BANK_REFERENCE_REUSED"
    next_action = "CORRECT_REQUEST"


class PaymentNotFound(Refusal):
    """The institution has no payment with this bank reference."""

    code = "PAYMENT_NOT_FOUND"
    next_action = "CORRECT_REQUEST"


class PaymentNotReversible(Refusal):
    """冲正 is for the payment's business date only; `status` is what the payment is.

    A payment that stands can still be refunded; one that is undone already leaves nothing to ask for.
    """

    code = "PAYMENT_NOT_REVERSIBLE"
    next_action: NextAction = "REQUEST_REFUND"

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status
        if status in ("REVERSED", "REFUNDED"):
            self.next_action = "CORRECT_REQUEST"


class PaymentNotRefundable(Refusal):
    """退费 is for a standing payment whose business date is over; `status` is what the payment is.

    With code PAYMENT_STILL_REVERSIBLE it stands, but its business date is not over: it can be reversed.
    """

    code = "PAYMENT_NOT_REFUNDABLE"
    next_action = "CORRECT_REQUEST"

    def __init__(
        self,
        status: str,
        code: Literal["PAYMENT_NOT_REFUNDABLE", "PAYMENT_STILL_REVERSIBLE"] = "PAYMENT_NOT_REFUNDABLE",
    ) -> None:
        super().__init__(status, code)
        self.status = status
        self.code = code


class RefundNotFound(Refusal):
    """No such refund, or not one that the caller's agency decides about."""

    code = "REFUND_NOT_FOUND"
    next_action = "CORRECT_REQUEST"


class RefundNotDecidable(Refusal):
    """The refund has been decided otherwise; `status` says how."""

    code = "REFUND_NOT_DECIDABLE"
    next_action = "CORRECT_REQUEST"

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class DayNotReconcilable(Refusal):
    """The day lies in the future."""

    code = "DAY_NOT_RECONCILABLE"
    next_action = "RETRY_LATER"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one bill of a batch was rejected. `index` is its place in the batch, from zero."""

    index: int
    bill_number: str
    code: str


class BillsRejected(Refusal):
    """Nothing of the batch was assessed; `rejections` say which bills stood in the way."""

    code = "BILLS_REJECTED"
    next_action = "CORRECT_REQUEST"

    def __init__(self, rejections: tuple[Rejection, ...], code: str = "BILLS_REJECTED") -> None:
        super().__init__(rejections, code)
        self.rejections = rejections
        self.code = code
