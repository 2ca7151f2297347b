"""The refusals of the rules as GraphQL types: what went wrong, as data."""

import datetime
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import strawberry
from strawberry import Parent

from contributions import problems
from schema.context import Info
from schema.enums import BillStatus, NextAction, PaymentStatus, RefundStatus
from schema.messages import message_of
from schema.scalars import YearMonth, Yuan
from schema.values import ContributionTier, PayablePeriod


@strawberry.interface(
    description="What went wrong, as data. `code` is stable and for programs; `message` is for people, in the "
    "language of Accept-Language (zh-CN by default, en)."
)
class Problem:
    code: str
    message: str
    next_action: NextAction


@strawberry.type(description="No such person is known to the caller's institution under this id.")
class PayerNotFound(Problem):
    pass


@strawberry.type(description="The months are not a run inside one payable period of this kind.")
class PeriodNotPayable(Problem):
    payable: list[PayablePeriod] = strawberry.field(description="What can be paid in this way.")


@strawberry.type(description="The schedule of these months has no such tier.")
class TierNotOffered(Problem):
    offered: list[ContributionTier]


@strawberry.type(description="The caller's institution was given no quote or bill under this id or number.")
class PayableNotFound(Problem):
    pass


@strawberry.type(description="The quote's price is no longer held: ask for another.")
class QuoteExpired(Problem):
    expired_at: datetime.datetime


@strawberry.type(description="The bill has been withdrawn or paid, or its last day to pay has passed.")
class BillNotPayable(Problem):
    status: BillStatus


@strawberry.type(description="Another payment has settled these months: nothing was recorded.")
class MonthsAlreadyPaid(Problem):
    months: list[YearMonth]


@strawberry.type(description="The amount is not exactly the payable's: nothing was recorded.")
class AmountMismatch(Problem):
    expected: Yuan


@strawberry.type(description="The bank reference stands for another payment: nothing was recorded.")
class BankReferenceReused(Problem):
    pass


@strawberry.type(description="The caller's institution has no payment under this reference.")
class PaymentNotFound(Problem):
    pass


@strawberry.type(description="A payment is reversed on its own business day only; after it, by a refund.")
class PaymentNotReversible(Problem):
    status: PaymentStatus


@strawberry.type(description="A payment that stands is refunded, and only after its own business day.")
class PaymentNotRefundable(Problem):
    status: PaymentStatus


@strawberry.type(description="The caller's agency was given no refund under this id.")
class RefundNotFound(Problem):
    pass


@strawberry.type(description="The refund has been decided otherwise.")
class RefundNotDecidable(Problem):
    status: RefundStatus


@strawberry.type(description="The day has not come yet.")
class DayNotReconcilable(Problem):
    pass


@strawberry.type(description="One bill that stands in the way of its batch.")
class BillRejection:
    index: int = strawberry.field(description="Its place in the batch, from 0.")
    bill_number: str

    @strawberry.field
    def reason(rejection: Parent[problems.Rejection], info: Info) -> str:
        return message_of(rejection, info.context.locale)


@strawberry.type(description="Nothing of the batch was taken over.")
class BillsRejected(Problem):
    rejections: list[BillRejection]


_TYPES: dict[type[problems.Refusal], type[Problem]] = {
    problems.PayerNotFound: PayerNotFound,
    problems.PeriodNotPayable: PeriodNotPayable,
    problems.TierNotOffered: TierNotOffered,
    problems.PayableNotFound: PayableNotFound,
    problems.QuoteExpired: QuoteExpired,
    problems.BillNotPayable: BillNotPayable,
    problems.MonthsAlreadyPaid: MonthsAlreadyPaid,
    problems.AmountMismatch: AmountMismatch,
    problems.BankReferenceReused: BankReferenceReused,
    problems.PaymentNotFound: PaymentNotFound,
    problems.PaymentNotReversible: PaymentNotReversible,
    problems.PaymentNotRefundable: PaymentNotRefundable,
    problems.RefundNotFound: RefundNotFound,
    problems.RefundNotDecidable: RefundNotDecidable,
    problems.DayNotReconcilable: DayNotReconcilable,
    problems.BillsRejected: BillsRejected,
}


def problem_of(refusal: problems.Refusal, locale: str) -> Problem:
    """Return a refusal as the data of its type: what every problem has, and what this one carries."""
    carried = vars(refusal) | {
        "code": refusal.code,
        "message": message_of(refusal, locale),
        "next_action": NextAction(refusal.next_action),
    }
    return _TYPES[type(refusal)](**carried)


def refusals_as_data(resolver: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Let a mutation answer with the refusal that its rules raise: a member of its result's union."""

    @wraps(resolver)
    async def answer(root: Any, info: Info, input: Any) -> Any:  # noqa: A002 -- the contract's name
        try:
            return await resolver(root, info, input)
        except problems.Refusal as refusal:
            return problem_of(refusal, info.context.locale)

    return answer
