"""The contract's enums. Their values are the words that the database and the rules use."""

from enum import StrEnum

import strawberry


@strawberry.enum(description="养老 / 医疗: the two insurances that a flexibly employed person pays.")
class Insurance(StrEnum):
    PENSION = "PENSION"
    MEDICAL = "MEDICAL"


@strawberry.enum(description="Where the payer stood. A property of the OAuth client, never of the request.")
class Channel(StrEnum):
    COUNTER = "COUNTER"
    MOBILE_BANKING = "MOBILE_BANKING"
    WECHAT = "WECHAT"
    MINI_PROGRAM = "MINI_PROGRAM"
    TAX_WINDOW = "TAX_WINDOW"


@strawberry.enum(description="本年自主缴费 / 往年补缴: months of the current year, months of the years before.")
class PeriodMode(StrEnum):
    CURRENT_YEAR = "CURRENT_YEAR"
    ARREARS = "ARREARS"


@strawberry.enum(description="OPEN: can be paid until it expires.")
class QuoteStatus(StrEnum):
    OPEN = "OPEN"
    PAID = "PAID"
    EXPIRED = "EXPIRED"


@strawberry.enum(description="Who assessed it: 往年核定 / 社保核定 / 医保批量核定.")
class BillOrigin(StrEnum):
    PAYER_ARREARS = "PAYER_ARREARS"
    AGENCY_COUNTER = "AGENCY_COUNTER"
    MEDICAL_BATCH = "MEDICAL_BATCH"


@strawberry.enum(description="EXPIRED: its last day to pay has passed. WITHDRAWN: by the agency, or assessed anew.")
class BillStatus(StrEnum):
    PAYABLE = "PAYABLE"
    PAID = "PAID"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"


@strawberry.enum(
    description="ACCEPTED: in the ledger, receipt issued. POSTED: the tax ledger has acknowledged it. "
    "REVERSED: 冲正, on the same business day. REFUNDED: 退费, later."
)
class PaymentStatus(StrEnum):
    ACCEPTED = "ACCEPTED"
    POSTED = "POSTED"
    REVERSED = "REVERSED"
    REFUNDED = "REFUNDED"


@strawberry.enum(
    description="REQUESTED: the agency has not decided. REJECTED: it can be asked for again. REFUNDED: 退费, the "
    "months are free and the receipt is void."
)
class RefundStatus(StrEnum):
    REQUESTED = "REQUESTED"
    REJECTED = "REJECTED"
    REFUNDED = "REFUNDED"


@strawberry.enum(description="VOID: 作废, the payment was reversed or refunded.")
class ReceiptStatus(StrEnum):
    VALID = "VALID"
    VOID = "VOID"


@strawberry.enum(
    description="OPEN: the bank has sent no list yet. DIFFERENT: list and ledger differ. RECONCILED: nothing differs."
)
class SettlementStatus(StrEnum):
    OPEN = "OPEN"
    DIFFERENT = "DIFFERENT"
    RECONCILED = "RECONCILED"


@strawberry.enum(description="How one payment differs between the bank's list and the ledger.")
class DifferenceKind(StrEnum):
    MISSING_AT_GATEWAY = "MISSING_AT_GATEWAY"
    MISSING_AT_BANK = "MISSING_AT_BANK"
    AMOUNT_DIFFERS = "AMOUNT_DIFFERS"
    STATUS_DIFFERS = "STATUS_DIFFERS"


@strawberry.enum(
    description="What the bank should do next. RETURN_MONEY: the gateway did not record the money and will not; "
    "give it back to the payer."
)
class NextAction(StrEnum):
    CORRECT_REQUEST = "CORRECT_REQUEST"
    REQUOTE = "REQUOTE"
    RETURN_MONEY = "RETURN_MONEY"
    REQUEST_REFUND = "REQUEST_REFUND"
    RETRY_LATER = "RETRY_LATER"
