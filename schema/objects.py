"""Objects with an id, what they implement, and the connections that lead to them.

A field with arguments, or one that leads to another object, was read together with its root: its resolver
only finds the answer under the key that it was asked by.
"""

import datetime
from typing import Any

import strawberry
from strawberry import Parent

from auth import scopes
from contributions import words
from resolvers import records
from resolvers.asking import key_of
from schema.context import Info
from schema.enums import (
    BillOrigin,
    BillStatus,
    Channel,
    Insurance,
    PaymentStatus,
    PeriodMode,
    QuoteStatus,
    ReceiptStatus,
    SettlementStatus,
)
from schema.nodes import Node, PageInfo, made_of, page_info
from schema.refunds import Refund
from schema.scalars import YearMonth, Yuan
from schema.scopes import requires
from schema.values import (
    ContributionLine,
    ContributionTier,
    Enrolment,
    Institution,
    PayablePeriod,
    PoolingArea,
    SettlementDifference,
    SettlementTotal,
)


@strawberry.interface(description="What a payment settles: a quote or an assessed bill.")
class Payable:
    id: strawberry.ID
    insurance: Insurance
    first_month: YearMonth
    last_month: YearMonth
    month_count: int
    amount: Yuan


@strawberry.type(description="缴费人: a person, as the caller's institution knows one.")
class Payer(Node):
    is_type_of = made_of(records.Payer)

    id: strawberry.ID = strawberry.field(
        description="The same for every client of one institution, another for each institution."
    )
    masked_name: str
    masked_resident_id: str

    @strawberry.field(graphql_type=list[Enrolment])
    def enrolments(payer: Parent[records.Payer]) -> Any:
        return payer.answers["enrolments"]

    @strawberry.field(graphql_type=list[PayablePeriod], directives=requires(scopes.PERIOD_READ))
    def payable_periods(
        payer: Parent[records.Payer], insurance: Insurance | None = None, mode: PeriodMode | None = None
    ) -> Any:
        return payer.answers[key_of("payable_periods", insurance, mode)]

    @strawberry.field(graphql_type="AssessedBillConnection", directives=requires(scopes.BILL_READ))
    def assessed_bills(
        payer: Parent[records.Payer],
        insurance: Insurance | None = None,
        status: BillStatus | None = BillStatus.PAYABLE,
        first: int | None = None,
        after: str | None = None,
    ) -> Any:
        return payer.answers[key_of("assessed_bills", insurance, status, first, after)]

    @strawberry.field(
        graphql_type="ReceiptConnection",
        directives=requires(scopes.RECEIPT_READ),
        description="Receipts of payments made through the caller's institution, by the year of payment.",
    )
    def receipts(
        payer: Parent[records.Payer],
        year: int | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Any:
        return payer.answers[key_of("receipts", year, first, after)]


@strawberry.type(description="本年自主缴费: a price for a run of months, at one tier.")
class Quote(Node, Payable):
    is_type_of = made_of(records.Quote)

    tier: ContributionTier
    lines: list[ContributionLine]
    status: QuoteStatus
    expires_at: datetime.datetime

    @strawberry.field(
        graphql_type="Payment | None",
        directives=requires(scopes.PAYMENT_READ),
        description="The payment that settled it, through the caller's institution.",
    )
    def payment(quote: Parent[records.Quote]) -> Any:
        return quote.answers["payment"]


@strawberry.type(description="核定: an amount that an agency set for a run of months.")
class AssessedBill(Node, Payable):
    is_type_of = made_of(records.AssessedBill)

    bill_number: str = strawberry.field(description="The agency's own number for it.")
    origin: BillOrigin
    pooling_area: PoolingArea

    @strawberry.field(
        graphql_type=list[ContributionLine],
        description="Month by month for arrears. Empty where the agency stated one amount.",
    )
    def lines(bill: Parent[records.AssessedBill]) -> Any:
        return bill.answers["lines"]

    assessed_at: datetime.datetime
    pay_by: datetime.date | None = strawberry.field(description="The last day on which it can be paid.")
    status: BillStatus

    @strawberry.field(
        graphql_type="Payment | None",
        directives=requires(scopes.PAYMENT_READ),
        description="The payment that settled it, if it went through the caller's institution.",
    )
    def payment(bill: Parent[records.AssessedBill]) -> Any:
        return bill.answers["payment"]


@strawberry.type(description="A payment that the gateway accepted.")
class Payment(Node):
    is_type_of = made_of(records.Payment)

    bank_reference: str
    amount: Yuan
    status: PaymentStatus
    channel: Channel | None
    business_date: datetime.date
    collected_at: datetime.datetime
    accepted_at: datetime.datetime
    posted_at: datetime.datetime | None
    reversed_at: datetime.datetime | None

    @strawberry.field(graphql_type=Payable)
    def payable(payment: Parent[records.Payment]) -> Any:
        return payment.answers["payable"]

    @strawberry.field(graphql_type="Receipt", directives=requires(scopes.RECEIPT_READ))
    def receipt(payment: Parent[records.Payment]) -> Any:
        return payment.answers["receipt"]

    @strawberry.field(
        graphql_type=Refund | None,
        directives=requires(scopes.PAYMENT_REVERSE),
        description="退费: the latest request to refund it. null when none was made.",
    )
    def refund(payment: Parent[records.Payment]) -> Any:
        return payment.answers["refund"]


@strawberry.type(description="电子缴费凭证: the voucher of one payment.")
class Receipt(Node):
    is_type_of = made_of(records.Receipt)

    number: str
    status: ReceiptStatus
    masked_name: str
    masked_resident_id: str
    insurance: Insurance
    pooling_area: PoolingArea
    first_month: YearMonth
    last_month: YearMonth
    amount: Yuan

    @strawberry.field(description="大写金额: 壹万贰仟零玖拾陆元整.")
    def amount_in_words(receipt: Parent[records.Receipt]) -> str:
        return words.in_words(receipt.amount)

    @strawberry.field(graphql_type=Institution, description="Through which the payment was made.")
    def institution(info: Info) -> Any:
        # A receipt is seen by the institution that collected it, and by no other.
        return institution_of_caller(info)

    bank_reference: str
    issued_at: datetime.datetime
    verification_code: str = strawberry.field(description="What a third party types in to check the voucher.")

    @strawberry.field(description="The voucher as a page, for the institution's clients with `receipt:read`.")
    def pdf_url(receipt: Parent[records.Receipt], info: Info) -> str:
        return f"{info.context.public_url}/receipts/{receipt.number}.pdf"


def institution_of_caller(info: Info) -> Institution:
    """Return the institution whose client calls."""
    caller = info.context.call.caller
    return Institution(code=caller.institution_code, name=caller.institution_name)


@strawberry.type(description="An institution's business day, and how the bank's list of it compares.")
class SettlementDay:
    is_type_of = made_of(records.SettlementDay)

    date: datetime.date
    status: SettlementStatus
    accepted: SettlementTotal = strawberry.field(description="Every payment accepted on that day.")
    reversed: SettlementTotal = strawberry.field(description="Those of them reversed since.")
    net: SettlementTotal = strawberry.field(description="What remains.")
    reconciled_at: datetime.datetime | None

    @strawberry.field(graphql_type="SettlementDifferenceConnection")
    def differences(day: Parent[records.SettlementDay], first: int | None = None, after: str | None = None) -> Any:
        return day.answers[key_of("differences", first, after)]


@strawberry.type(description="An assessed bill in a page.")
class AssessedBillEdge:
    cursor: str
    node: AssessedBill


@strawberry.type(description="A page of assessed bills, in the order of their assessment.")
class AssessedBillConnection:
    edges: list[AssessedBillEdge]
    page_info: PageInfo = page_info()


@strawberry.type(description="A receipt in a page.")
class ReceiptEdge:
    cursor: str
    node: Receipt


@strawberry.type(description="A page of receipts, in the order of their issue.")
class ReceiptConnection:
    edges: list[ReceiptEdge]
    page_info: PageInfo = page_info()


@strawberry.type(description="A payment in a page.")
class PaymentEdge:
    cursor: str
    node: Payment


@strawberry.type(description="A page of payments, in the order of their acceptance.")
class PaymentConnection:
    edges: list[PaymentEdge]
    page_info: PageInfo = page_info()


@strawberry.type(description="A difference in a page.")
class SettlementDifferenceEdge:
    cursor: str
    node: SettlementDifference


@strawberry.type(description="A page of differences, in the order of their bank references.")
class SettlementDifferenceConnection:
    edges: list[SettlementDifferenceEdge]
    page_info: PageInfo = page_info()
