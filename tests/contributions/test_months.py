from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contributions import months

any_month = st.integers(months.FIRST_MONTH, months.LAST_MONTH)


@given(any_month)
def test_a_month_is_read_back_from_its_text(month: int) -> None:
    assert months.parse(months.text(month)) == month


@given(st.dates(date(1900, 1, 1), date(2999, 12, 31)))
def test_a_day_lies_in_the_month_of_its_iso_date(day: date) -> None:
    assert months.text(months.of(day)) == day.isoformat()[:7]
    assert months.year_of(months.of(day)) == day.year


def test_a_month_number_is_the_one_that_postgresql_keeps() -> None:
    assert months.parse("2020-04") == 2020 * 12 + 3
    assert (months.parse("1900-01"), months.parse("2999-12")) == (months.FIRST_MONTH, months.LAST_MONTH)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2020",
        "2020-4",
        "2020-00",
        "2020-13",
        "1899-12",
        "3000-01",
        "2020-04-01",
        "202004",
        "2020/04",
        " 2020-04",
        "2020-04\n",
        "+2020-04",
        "２０２０-04",
        "2020-٠4",
        "20٢0-04",
        "20200-04",
    ],
)
def test_anything_but_a_year_and_a_month_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="YYYY-MM") as refused:
        months.parse(text)
    assert not text or text not in str(refused.value)


def test_a_year_goes_from_january_to_december() -> None:
    assert months.text(months.first_of_year(2020)) == "2020-01"
    assert months.text(months.last_of_year(2020)) == "2020-12"
    assert months.last_of_year(2020) + 1 == months.first_of_year(2021)


@pytest.mark.parametrize("month", [months.FIRST_MONTH - 1, months.LAST_MONTH + 1])
def test_a_month_outside_the_contract_is_written_nowhere(month: int) -> None:
    with pytest.raises(ValueError, match="1900 to 2999"):
        months.text(month)
    with pytest.raises(ValueError, match="1900 to 2999"):
        months.year_of(month)


def test_a_day_or_a_year_outside_the_contract_has_no_month() -> None:
    with pytest.raises(ValueError, match="1900 to 2999"):
        months.of(date(1899, 12, 31))
    with pytest.raises(ValueError, match="1900 to 2999"):
        months.first_of_year(3000)
    with pytest.raises(ValueError, match="1900 to 2999"):
        months.last_of_year(1899)


def test_months_in_any_order_fall_into_runs() -> None:
    assert months.runs([7, 3, 2, 3, 5, 8]) == [(2, 3), (5, 5), (7, 8)]
    assert months.runs([]) == []


@given(st.lists(st.integers(months.FIRST_MONTH, months.FIRST_MONTH + 40)))
def test_runs_hold_exactly_the_months_and_never_touch(given_months: list[int]) -> None:
    found = months.runs(given_months)
    assert [month for first, last in found for month in range(first, last + 1)] == sorted(set(given_months))
    assert all(before[1] + 1 < after[0] for before, after in pairwise(found))
