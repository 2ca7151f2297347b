from decimal import ROUND_UP, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contributions import money

amounts = st.integers(0, 10**14 - 1).map(lambda fen: Decimal(fen).scaleb(-2))


@given(amounts)
def test_an_amount_is_read_back_from_its_text(amount: Decimal) -> None:
    read = money.parse(money.text(amount))
    assert read == amount
    assert str(read) == money.text(amount)


@pytest.mark.parametrize("text", ["605", "605.0", "605.00"])
def test_an_amount_has_two_decimals_however_many_were_written(text: str) -> None:
    assert str(money.parse(text)) == "605.00"


@pytest.mark.parametrize(
    ("text", "amount"),
    [("0", "0.00"), ("0.5", "0.50"), ("0.05", "0.05"), ("999999999999.99", "999999999999.99")],
)
def test_amounts_from_nothing_to_the_limit_are_read(text: str, amount: str) -> None:
    assert str(money.parse(text)) == amount


def test_reading_does_not_depend_on_the_decimal_context() -> None:
    with localcontext(prec=3, rounding=ROUND_UP):
        assert str(money.parse("999999999999.91")) == "999999999999.91"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        ".50",
        "605.",
        "605.000",
        "-605",
        "+605",
        " 605",
        "605 ",
        "605\n",
        "6_05",
        "6,050",
        "6e2",
        "0x10",
        "00605",
        "00",
        "1000000000000",
        "NaN",
        "Infinity",
        "６０５",
        "٦٠٥",
        "605,00",
        "¥605",
    ],
)
def test_anything_but_digits_with_two_decimals_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="at most two decimals") as refused:
        money.parse(text)
    assert len(text) < 2 or text not in str(refused.value)


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0.00"), ("12096", "12096.00"), ("1E+3", "1000.00"), ("5.5", "5.50"), ("5.500", "5.50")],
)
def test_an_amount_is_written_with_two_decimals(amount: str, text: str) -> None:
    assert money.text(Decimal(amount)) == text


@pytest.mark.parametrize("amount", ["0.001", "5.005", "NaN", "Infinity"])
def test_an_amount_that_two_decimals_cannot_state_is_never_rounded(amount: str) -> None:
    with pytest.raises(ValueError, match="at most two decimals"):
        money.text(Decimal(amount))


@pytest.mark.parametrize(
    ("rate", "text"),
    [("0.20", "0.20"), ("0.2000", "0.20"), ("0.2", "0.20"), ("0.0850", "0.085"), ("0.0805", "0.0805")],
)
def test_a_rate_is_written_as_it_was_published_whatever_the_column_makes_of_it(rate: str, text: str) -> None:
    assert money.rate_text(Decimal(rate)) == text


@pytest.mark.parametrize("rate", ["0.00001", "NaN", "Infinity"])
def test_a_rate_of_more_than_four_decimals_is_never_rounded(rate: str) -> None:
    with pytest.raises(ValueError, match="four decimals"):
        money.rate_text(Decimal(rate))
