"""Each kind of damage is found by the comparison that ends a run of chaos."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.chaos.ledger import Ledger, Row, Verdict, compare, totals
from tests.chaos.records import Asked, Records, State

JULY = 2020 * 12 + 6
NUMBER = "202011160000000001"
ROW = Row("ABC", "A-1", 7, "PENSION", JULY, JULY, Decimal("605.00"), False, NUMBER, JULY, JULY, Decimal("605.00"), True)
REVERSED = replace(ROW, reversed=True, standing=False)


def asked(state: State, receipt: str | None = NUMBER) -> Asked:
    return Asked("ABC", "A-1", "payable", "605.00", "2020-07", "2020-07", "2020-11-16T09:30:00+08:00", state, receipt)


def verdict(bank: list[Asked], *rows: Row, standing: int = 1) -> Verdict:
    return compare(bank, Ledger(list(rows), Counter({(7, "PENSION", JULY): standing}), len(rows)))


def test_books_that_agree_are_clean() -> None:
    assert verdict([asked(State.ACCEPTED)], ROW).clean
    assert verdict([asked(State.REVERSED)], REVERSED, standing=0).clean
    assert verdict([asked(State.REFUSED, None)], standing=0).clean


@pytest.mark.parametrize(
    "there",
    [
        [],
        [replace(ROW, receipt="202011160000000002")],
        [replace(ROW, amount=Decimal("604.00"))],
        [replace(ROW, last=JULY + 1)],
    ],
)
def test_an_acknowledged_payment_that_is_not_there_as_it_was_told_is_lost(there: list[Row]) -> None:
    assert verdict([asked(State.ACCEPTED)], *there).lost


def test_an_acknowledged_reversal_that_is_not_there_is_lost() -> None:
    assert verdict([asked(State.REVERSED)], ROW).lost


def test_what_nobody_asked_for_is_found() -> None:
    assert verdict([], ROW).unasked
    assert verdict([asked(State.REFUSED, None)], ROW).unasked
    assert verdict([asked(State.ACCEPTED)], REVERSED).unasked


def test_a_month_or_a_reference_there_twice_is_found() -> None:
    assert verdict([asked(State.ACCEPTED)], ROW, standing=2).twice
    assert verdict([asked(State.ACCEPTED)], ROW, replace(ROW, receipt="202011160000000002")).twice


@pytest.mark.parametrize(
    "row",
    [
        replace(ROW, receipt=None),
        replace(ROW, contribution_first=None, contribution_last=None, contribution_amount=None, standing=None),
        replace(ROW, contribution_last=JULY + 1),
        replace(ROW, standing=False),
        replace(REVERSED, standing=True),
    ],
)
def test_a_payment_without_its_receipt_or_its_months_is_broken(row: Row) -> None:
    assert verdict([asked(State.REVERSING)], row).broken


def test_a_doubt_that_was_never_resolved_is_found() -> None:
    assert verdict([asked(State.DOUBT, None)]).unresolved
    assert verdict([asked(State.REVERSING)], ROW).unresolved


def test_totals_are_the_sum_of_the_parts() -> None:
    sums = totals([ROW, REVERSED, REVERSED])
    assert sums == {"accepted": (3, Decimal(1815)), "reversed": (2, Decimal(1210)), "net": (1, Decimal(605))}


def test_answers_that_contradict_one_another_are_found() -> None:
    told = {"number": NUMBER, "firstMonth": "2020-07", "lastMonth": "2020-07"}
    payment = {"amount": "605.00", "status": "ACCEPTED", "receipt": told}
    for state, answer in [
        (State.REFUSED, payment),
        (State.REVERSED, payment),
        (State.ACCEPTED, {**payment, "status": "REVERSED"}),
        (State.ACCEPTED, {**payment, "amount": "604.00"}),
        (State.ACCEPTED, {**payment, "receipt": {**told, "number": "202011160000000002"}}),
    ]:
        records = Records()
        records.accepted(asked(state), answer)
        assert len(records.wrong) == 1, (state, answer)
    records = Records()
    records.accepted(asked(State.DOUBT, None), payment)
    assert records.wrong == []
