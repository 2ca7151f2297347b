from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contributions import months
from contributions.problems import TierNotOffered
from contributions.schedule import (
    Line,
    Period,
    Schedule,
    ScheduleMissing,
    Tier,
    arrears_lines,
    by_mode,
    pay_by,
    period_containing,
    quote_lines,
)
from contributions.words import in_words

month = months.parse
GUIDE_AMOUNTS = (568, 605, 706, 806, 907, 1008, 1512, 2016, 2520, 3024)
PERCENTS = (None, 60, 70, 80, 90, 100, 150, 200, 250, 300)


def schedule_of(year: int, amount: str = "605.00", arrears_tier: str | None = "60") -> Schedule:
    tier = Tier("60", 60, Decimal("3024.00"), Decimal(amount), None)
    return Schedule("PENSION", year, "360000", Decimal("0.20"), Decimal("5040.00"), arrears_tier, (tier,))


@pytest.fixture
def guide() -> Schedule:
    """The guide's schedule of 2020: ten tiers, the lowest of them the floor of 2019."""
    tiers = tuple(
        Tier(
            "2019-FLOOR" if percent is None else str(percent),
            percent,
            Decimal("2840.00") if percent is None else Decimal(5040 * percent) / 100,
            Decimal(amount),
            None,
        )
        for percent, amount in zip(PERCENTS, GUIDE_AMOUNTS, strict=True)
    )
    return Schedule("PENSION", 2020, "360000", Decimal("0.20"), Decimal("5040.00"), "60", tiers)


def total(lines: tuple[Line, ...]) -> Decimal:
    return sum((line.amount for line in lines), Decimal(0))


def test_april_to_december_2020_at_60_percent_is_the_guides_5445_yuan(guide: Schedule) -> None:
    tier, lines = quote_lines(guide, month("2020-04"), month("2020-12"), "60")
    assert tier.percent == 60
    assert [months.text(line.month) for line in lines] == [f"2020-{n:02d}" for n in range(4, 13)]
    assert {(line.monthly_base, line.rate, line.amount) for line in lines} == {
        (Decimal("3024"), Decimal("0.20"), Decimal("605"))
    }
    assert total(lines) == Decimal("5445.00")
    assert in_words(total(lines)) == "伍仟肆佰肆拾伍元整"


@pytest.mark.parametrize("position", range(10))
def test_a_month_costs_what_the_guide_states_for_its_tier(guide: Schedule, position: int) -> None:
    tier, (line,) = quote_lines(guide, month("2020-07"), month("2020-07"), guide.tiers[position].code)
    assert (tier, line.amount) == (guide.tiers[position], Decimal(GUIDE_AMOUNTS[position]))


@pytest.mark.parametrize("code", ["65", "", "60 ", "2019-floor"])
def test_a_tier_that_is_not_offered_is_answered_with_those_that_are(guide: Schedule, code: str) -> None:
    with pytest.raises(TierNotOffered) as refused:
        quote_lines(guide, month("2020-04"), month("2020-12"), code)
    assert refused.value.offered == guide.tiers


@pytest.mark.parametrize(("first", "last"), [("2019-12", "2020-01"), ("2020-12", "2021-01"), ("2020-05", "2020-04")])
def test_a_quote_is_priced_from_the_schedule_of_the_months_own_year(guide: Schedule, first: str, last: str) -> None:
    with pytest.raises(ValueError, match="schedule's year"):
        quote_lines(guide, month(first), month(last), "60")


@pytest.mark.parametrize(
    ("first", "last", "parts"),
    [
        ("2018-03", "2019-12", [("ARREARS", "2018-03", "2019-12")]),
        ("2020-01", "2020-12", [("CURRENT_YEAR", "2020-01", "2020-12")]),
        ("2019-12", "2020-01", [("ARREARS", "2019-12", "2019-12"), ("CURRENT_YEAR", "2020-01", "2020-01")]),
    ],
)
def test_owed_months_are_arrears_until_the_business_year(first: str, last: str, parts: list[tuple[str, ...]]) -> None:
    told = by_mode(month(first), month(last), 2020)
    assert told == tuple((mode, month(first), month(last)) for mode, first, last in parts)


def test_the_current_year_is_payable_until_its_last_day_and_arrears_on_any() -> None:
    assert pay_by("CURRENT_YEAR", 2020) == date(2020, 12, 31)
    assert pay_by("ARREARS", 2020) is None


PERIODS = tuple(
    Period("PENSION", "CURRENT_YEAR", month(first), month(last), "360000", None)
    for first, last in [("2020-01", "2020-03"), ("2020-05", "2020-12")]
)


@pytest.mark.parametrize(
    ("first", "last"),
    [("2020-05", "2020-12"), ("2020-07", "2020-09"), ("2020-05", "2020-05"), ("2020-12", "2020-12")],
)
def test_any_run_inside_a_period_is_found_in_it(first: str, last: str) -> None:
    assert period_containing(PERIODS, month(first), month(last)) is PERIODS[1]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2020-03", "2020-05"),
        ("2020-04", "2020-04"),
        ("2019-12", "2020-01"),
        ("2020-12", "2021-01"),
        ("2020-07", "2020-06"),
    ],
)
def test_a_run_over_a_paid_month_past_an_end_or_backwards_is_in_no_period(first: str, last: str) -> None:
    assert period_containing(PERIODS, month(first), month(last)) is None


def test_a_period_counts_both_of_its_ends() -> None:
    assert [period.month_count for period in PERIODS] == [3, 8]


def test_arrears_cost_each_month_what_its_own_year_states() -> None:
    schedules: Mapping[int, Schedule] = {2018: schedule_of(2018, "515.00"), 2019: schedule_of(2019, "568.00")}
    lines = arrears_lines(month("2018-11"), month("2019-02"), schedules)
    assert [(months.text(line.month), str(line.amount)) for line in lines] == [
        ("2018-11", "515.00"),
        ("2018-12", "515.00"),
        ("2019-01", "568.00"),
        ("2019-02", "568.00"),
    ]


@given(st.integers(month("2010-01"), month("2019-12")), st.integers(0, 60))
def test_arrears_have_a_line_for_each_month_in_order(first: int, count: int) -> None:
    schedules = {year: schedule_of(year, f"{year}.00") for year in range(2010, 2026)}
    lines = arrears_lines(first, first + count, schedules)
    assert [line.month for line in lines] == list(range(first, first + count + 1))
    assert all(line.amount == months.year_of(line.month) for line in lines)


@pytest.mark.parametrize("gap", [None, schedule_of(2018, arrears_tier=None)])
def test_the_earliest_year_that_cannot_be_assessed_is_named(gap: Schedule | None) -> None:
    schedules = {2019: schedule_of(2019)} | ({} if gap is None else {2018: gap})
    with pytest.raises(ScheduleMissing) as refused:
        arrears_lines(month("2018-12"), month("2020-01"), schedules)
    assert refused.value.year == 2018
    with pytest.raises(ScheduleMissing) as refused:
        arrears_lines(month("2019-12"), month("2020-01"), schedules)
    assert refused.value.year == 2020


def test_an_arrears_tier_that_the_schedule_does_not_have_is_never_guessed() -> None:
    with pytest.raises(ValueError, match="arrears tier"):
        arrears_lines(month("2019-01"), month("2019-01"), {2019: schedule_of(2019, arrears_tier="70")})


def test_arrears_that_end_before_they_begin_are_refused() -> None:
    with pytest.raises(ValueError, match="before it begins"):
        arrears_lines(month("2019-02"), month("2019-01"), {2019: schedule_of(2019)})
