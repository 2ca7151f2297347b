"""The mutations: each hands plain values to one resolver, and answers with what it returns or refuses."""

from typing import Annotated, Any

import strawberry

from auth import scopes
from contributions.problems import BadInput
from resolvers import arrears, assessments, callbacks, payments, quotes, records, refunds, settlement
from resolvers.asking import NOTHING, Asked, asked_below
from schema import inputs
from schema.context import Info
from schema.events import CallbackRegistered, CallbackRemoved
from schema.nodes import made_of
from schema.objects import AssessedBill, Payment, Quote, SettlementDay
from schema.problems import (
    AmountMismatch,
    BankReferenceReused,
    BillNotPayable,
    BillsRejected,
    DayNotReconcilable,
    MonthsAlreadyPaid,
    PayableNotFound,
    PayerNotFound,
    PaymentNotFound,
    PaymentNotRefundable,
    PaymentNotReversible,
    PeriodNotPayable,
    QuoteExpired,
    RefundNotDecidable,
    RefundNotFound,
    TierNotOffered,
    refusals_as_data,
)
from schema.refunds import Refund
from schema.scopes import requires, requires_all
from schema.selection import asked_of


@strawberry.type(
    description="`replayed` is true when this bankReference had been accepted before with the same content."
)
class PaymentAccepted:
    is_type_of = made_of(records.PaymentAccepted)

    payment: Payment
    replayed: bool


@strawberry.type(description="`replayed` is true when the payment had been reversed before.")
class PaymentReversed:
    is_type_of = made_of(records.PaymentReversed)

    payment: Payment
    replayed: bool


@strawberry.type(description="`replayed` is true when this batch had been taken over before with the same content.")
class BillsAssessed:
    is_type_of = made_of(records.BillsAssessed)

    batch: str
    bills: list[AssessedBill]
    replayed: bool


@strawberry.type(description="`replayed` is true when a request for this payment stood already.")
class RefundRequested:
    is_type_of = made_of(records.RefundRequested)

    refund: Refund
    payment: Payment
    replayed: bool


@strawberry.type(description="`replayed` is true when the refund had been decided so before.")
class RefundDecided:
    is_type_of = made_of(records.RefundDecided)

    refund: Refund
    replayed: bool


RequestQuoteResult = Annotated[
    Quote | PayerNotFound | PeriodNotPayable | TierNotOffered, strawberry.union("RequestQuoteResult")
]
RequestAssessmentResult = Annotated[
    AssessedBill | PayerNotFound | PeriodNotPayable, strawberry.union("RequestAssessmentResult")
]
SubmitPaymentResult = Annotated[
    PaymentAccepted
    | PayableNotFound
    | QuoteExpired
    | BillNotPayable
    | MonthsAlreadyPaid
    | AmountMismatch
    | BankReferenceReused,
    strawberry.union("SubmitPaymentResult"),
]
ReversePaymentResult = Annotated[
    PaymentReversed | PaymentNotFound | PaymentNotReversible, strawberry.union("ReversePaymentResult")
]
ReconcileDayResult = Annotated[SettlementDay | DayNotReconcilable, strawberry.union("ReconcileDayResult")]
AssessBillsResult = Annotated[BillsAssessed | BillsRejected, strawberry.union("AssessBillsResult")]
WithdrawBillResult = Annotated[AssessedBill | PayableNotFound | BillNotPayable, strawberry.union("WithdrawBillResult")]

RequestRefundResult = Annotated[
    RefundRequested | PaymentNotFound | PaymentNotRefundable, strawberry.union("RequestRefundResult")
]
DecideRefundResult = Annotated[
    RefundDecided | RefundNotFound | RefundNotDecidable, strawberry.union("DecideRefundResult")
]


def _asked_of_member(info: Info, member: str, field: str, kind: str) -> Asked:
    """Return what is asked of the record that one field of a result holds."""
    return asked_below(asked_of(info).get(member, NOTHING), field, kind)


@strawberry.type(description="What a client may change.")
class Mutation:
    @strawberry.mutation(
        graphql_type=RequestQuoteResult,
        directives=requires(scopes.QUOTE_WRITE),
        description="本年自主缴费: any run of months inside one CURRENT_YEAR payable period, at one tier.",
    )
    @refusals_as_data
    async def request_quote(self, info: Info, input: inputs.RequestQuoteInput) -> Any:  # noqa: A002
        return await quotes.request_quote(
            info.context.call,
            input.payer_id,
            input.insurance,
            input.first_month,
            input.last_month,
            input.tier,
            asked_of(info)["Quote"],
        )

    @strawberry.mutation(
        graphql_type=RequestAssessmentResult,
        directives=requires(scopes.ASSESSMENT_WRITE),
        description="往年核定: any run of months inside one ARREARS payable period; the social insurance system "
        "sets the amount.",
    )
    @refusals_as_data
    async def request_assessment(self, info: Info, input: inputs.RequestAssessmentInput) -> Any:  # noqa: A002
        return await arrears.request_assessment(
            info.context.call,
            input.payer_id,
            input.insurance,
            input.first_month,
            input.last_month,
            asked_of(info)["AssessedBill"],
        )

    @strawberry.mutation(
        graphql_type=SubmitPaymentResult,
        directives=requires(scopes.PAYMENT_WRITE),
        description="The bank has collected the money. Safe to repeat: (institution, bankReference) is the "
        "idempotency key.",
    )
    @refusals_as_data
    async def submit_payment(self, info: Info, input: inputs.SubmitPaymentInput) -> Any:  # noqa: A002
        if input.amount <= 0:
            raise BadInput("input.amount", "must be above zero")
        submission = payments.Submission(
            payable_id=input.payable_id,
            amount=input.amount,
            bank_reference=inputs.bank_reference(input.bank_reference, "input.bankReference"),
            collected_at=input.collected_at,
            branch=inputs.optional_text(input.branch, "input.branch", inputs.MAX_LABEL_LENGTH),
            teller=inputs.optional_text(input.teller, "input.teller", inputs.MAX_LABEL_LENGTH),
        )
        asked = _asked_of_member(info, "PaymentAccepted", "payment", "Payment")
        return await payments.submit_payment(info.context.call, submission, asked)

    @strawberry.mutation(
        graphql_type=ReversePaymentResult,
        directives=requires(scopes.PAYMENT_REVERSE),
        description="冲正, on the same business day. Safe to repeat.",
    )
    @refusals_as_data
    async def reverse_payment(self, info: Info, input: inputs.ReversePaymentInput) -> Any:  # noqa: A002
        return await payments.reverse_payment(
            info.context.call,
            inputs.bank_reference(input.bank_reference, "input.bankReference"),
            inputs.text(input.reason, "input.reason", inputs.MAX_REASON_LENGTH),
            _asked_of_member(info, "PaymentReversed", "payment", "Payment"),
        )

    @strawberry.mutation(
        graphql_type=ReconcileDayResult,
        directives=requires(scopes.SETTLEMENT_WRITE),
        description="日终对账, from the bank's own list of the day. Can be repeated until nothing differs.",
    )
    @refusals_as_data
    async def reconcile_day(self, info: Info, input: inputs.ReconcileDayInput) -> Any:  # noqa: A002
        entries = [
            settlement.BankEntry(
                inputs.bank_reference(entry.bank_reference, f"input.entries[{index}].bankReference"),
                entry.amount,
                entry.reversed,
            )
            for index, entry in enumerate(input.entries)
        ]
        return await settlement.reconcile_day(info.context.call, input.date, entries, asked_of(info)["SettlementDay"])

    @strawberry.mutation(
        graphql_type=AssessBillsResult,
        directives=requires(scopes.BILL_ASSESS),
        description="社保/医保核定: for agencies, at most 1000 bills a call; all or none.",
    )
    @refusals_as_data
    async def assess_bills(self, info: Info, input: inputs.AssessBillsInput) -> Any:  # noqa: A002
        batch = inputs.text(input.batch, "input.batch", inputs.MAX_LABEL_LENGTH)
        bills = [
            assessments.BillToAssess(
                bill.bill_number,
                bill.resident_id,
                bill.name,
                bill.insurance,
                bill.pooling_area,
                bill.first_month,
                bill.last_month,
                bill.amount,
                bill.pay_by,
            )
            for bill in input.bills
        ]
        asked = _asked_of_member(info, "BillsAssessed", "bills", "AssessedBill")
        return await assessments.assess_bills(info.context.call, batch, bills, asked)

    @strawberry.mutation(
        graphql_type=WithdrawBillResult,
        directives=requires(scopes.BILL_ASSESS),
        description="Take back a bill that has not been paid, by the agency's own number.",
    )
    @refusals_as_data
    async def withdraw_bill(self, info: Info, input: inputs.WithdrawBillInput) -> Any:  # noqa: A002
        return await assessments.withdraw_bill(
            info.context.call,
            inputs.text(input.bill_number, "input.billNumber", inputs.MAX_LABEL_LENGTH),
            inputs.text(input.reason, "input.reason", inputs.MAX_REASON_LENGTH),
            asked_of(info)["AssessedBill"],
        )

    @strawberry.mutation(
        graphql_type=RequestRefundResult,
        directives=requires(scopes.PAYMENT_REVERSE),
        description="退费, after the payment's business day: the agency of the insurance decides. Safe to repeat.",
    )
    @refusals_as_data
    async def request_refund(self, info: Info, input: inputs.RequestRefundInput) -> Any:  # noqa: A002
        return await refunds.request_refund(
            info.context.call,
            inputs.bank_reference(input.bank_reference, "input.bankReference"),
            inputs.text(input.reason, "input.reason", inputs.MAX_REASON_LENGTH),
            asked_of(info)["RefundRequested"],
        )

    @strawberry.mutation(
        graphql_type=DecideRefundResult,
        directives=requires(scopes.REFUND_DECIDE),
        description="For the agency of the insurance: grant or reject a refund. Safe to repeat.",
    )
    @refusals_as_data
    async def decide_refund(self, info: Info, input: inputs.DecideRefundInput) -> Any:  # noqa: A002
        return await refunds.decide_refund(
            info.context.call,
            input.refund_id,
            input.approve,
            inputs.text(input.reason, "input.reason", inputs.MAX_REASON_LENGTH),
            asked_of(info)["RefundDecided"],
        )

    @strawberry.mutation(
        graphql_type=CallbackRegistered,
        directives=requires_all(scopes.PAYMENT_READ, scopes.BILL_READ),
        description="Have the events of the client's institution sent to an address, in place of the one before, "
        "signed with a new secret. What waits goes there too.",
    )
    async def register_callback(self, info: Info, input: inputs.RegisterCallbackInput) -> Any:  # noqa: A002
        return await callbacks.register_callback(info.context.call, input.url)

    @strawberry.mutation(
        graphql_type=CallbackRemoved,
        directives=requires_all(scopes.PAYMENT_READ, scopes.BILL_READ),
        description="Have nothing sent any more, not even what waits. Safe to repeat.",
    )
    async def remove_callback(self, info: Info) -> Any:
        return CallbackRemoved(removed=await callbacks.remove_callback(info.context.call))
