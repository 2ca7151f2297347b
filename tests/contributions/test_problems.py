import pickle
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from contributions.problems import (
    AmountMismatch,
    BadInput,
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
    Refusal,
    Rejection,
    TierNotOffered,
)

NEXT_ACTIONS = [
    (PayerNotFound(), "PAYER_NOT_FOUND", "CORRECT_REQUEST"),
    (PeriodNotPayable(()), "PERIOD_NOT_PAYABLE", "CORRECT_REQUEST"),
    (PeriodNotPayable((), code="SCHEDULE_MISSING"), "SCHEDULE_MISSING", "RETRY_LATER"),
    (TierNotOffered(()), "TIER_NOT_OFFERED", "CORRECT_REQUEST"),
    (PayableNotFound(), "PAYABLE_NOT_FOUND", "CORRECT_REQUEST"),
    (QuoteExpired(datetime(2020, 11, 16, tzinfo=UTC)), "QUOTE_EXPIRED", "REQUOTE"),
    (BillNotPayable("EXPIRED"), "BILL_NOT_PAYABLE", "RETURN_MONEY"),
    (MonthsAlreadyPaid((24243,)), "MONTHS_ALREADY_PAID", "RETURN_MONEY"),
    (AmountMismatch(Decimal("605.00")), "AMOUNT_MISMATCH", "CORRECT_REQUEST"),
    (BankReferenceReused(), "BANK_REFERENCE_REUSED", "CORRECT_REQUEST"),
    (PaymentNotFound(), "PAYMENT_NOT_FOUND", "CORRECT_REQUEST"),
    (PaymentNotReversible("ACCEPTED"), "PAYMENT_NOT_REVERSIBLE", "REQUEST_REFUND"),
    (PaymentNotReversible("POSTED"), "PAYMENT_NOT_REVERSIBLE", "REQUEST_REFUND"),
    (PaymentNotReversible("REVERSED"), "PAYMENT_NOT_REVERSIBLE", "CORRECT_REQUEST"),
    (PaymentNotReversible("REFUNDED"), "PAYMENT_NOT_REVERSIBLE", "CORRECT_REQUEST"),
    (PaymentNotRefundable("REVERSED"), "PAYMENT_NOT_REFUNDABLE", "CORRECT_REQUEST"),
    (
        PaymentNotRefundable("ACCEPTED", code="PAYMENT_STILL_REVERSIBLE"),
        "PAYMENT_STILL_REVERSIBLE",
        "CORRECT_REQUEST",
    ),
    (RefundNotFound(), "REFUND_NOT_FOUND", "CORRECT_REQUEST"),
    (RefundNotDecidable("REFUNDED"), "REFUND_NOT_DECIDABLE", "CORRECT_REQUEST"),
    (DayNotReconcilable(), "DAY_NOT_RECONCILABLE", "RETRY_LATER"),
    (BillsRejected((Rejection(0, "B-1", "PAYER_NOT_FOUND"),)), "BILLS_REJECTED", "CORRECT_REQUEST"),
    (BillsRejected((), code="BATCH_REUSED"), "BATCH_REUSED", "CORRECT_REQUEST"),
]


@pytest.mark.parametrize(("problem", "code", "next_action"), NEXT_ACTIONS)
def test_a_problem_says_its_stable_code_and_what_to_do_next(problem: Refusal, code: str, next_action: str) -> None:
    assert (problem.code, problem.next_action, str(problem)) == (code, next_action, code)


def test_no_problem_is_left_without_its_next_action() -> None:
    assert {type(problem) for problem, _, _ in NEXT_ACTIONS} == set(Refusal.__subclasses__())


@pytest.mark.parametrize("problem", [problem for problem, _, _ in NEXT_ACTIONS])
def test_a_problem_keeps_its_data_between_processes(problem: Refusal) -> None:
    copy = pickle.loads(pickle.dumps(problem))  # noqa: S301  bytes of our own
    assert (type(copy), vars(copy)) == (type(problem), vars(problem))


def test_bad_input_names_its_field() -> None:
    problem = BadInput("input.lastMonth", "comes before firstMonth")
    assert (problem.field, problem.message) == ("input.lastMonth", "comes before firstMonth")
    assert str(problem) == "input.lastMonth: comes before firstMonth"
    assert str(pickle.loads(pickle.dumps(problem))) == str(problem)  # noqa: S301  bytes of our own
