import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contributions.words import in_words

amounts = st.integers(0, 10**14 - 1).map(lambda fen: Decimal(fen).scaleb(-2))
# Amounts that are mostly zeros, where the rules are.
sparse_amounts = st.lists(st.sampled_from("0000123456789"), min_size=1, max_size=14).map(
    lambda digits: Decimal("".join(digits)).scaleb(-2)
)


def read(words: str) -> Decimal:
    """Read an amount in words, knowing nothing of how it was written."""
    parts = re.fullmatch(r"(?:(.+)元)?零?(?:(.)角)?(?:零?(.)分)?整?", words)
    assert parts is not None
    whole, jiao, fen = parts.groups()
    digits = {character: value for value, character in enumerate("零壹贰叁肆伍陆柒捌玖")}
    places = {"拾": 10, "佰": 100, "仟": 1000}
    groups = {"万": 10**4, "亿": 10**8}
    total = group = digit = 0
    for character in whole or "":
        if character in digits:
            digit = digits[character]
        elif character in places:
            group, digit = group + digit * places[character], 0
        else:
            total, group, digit = total + (group + digit) * groups[character], 0, 0
    yuan = total + group + digit
    return Decimal(yuan * 100 + digits[jiao or "零"] * 10 + digits[fen or "零"]).scaleb(-2)


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("1409.50", "壹仟肆佰零玖元伍角"),
        ("6007.14", "陆仟零柒元壹角肆分"),
        ("1680.32", "壹仟陆佰捌拾元叁角贰分"),
        ("107000.53", "壹拾万零柒仟元伍角叁分"),
        ("16409.02", "壹万陆仟肆佰零玖元零贰分"),
        ("325.04", "叁佰贰拾伍元零肆分"),
    ],
)
def test_the_examples_of_the_regulation_come_out(amount: str, words: str) -> None:
    assert in_words(Decimal(amount)) == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [("12096.00", "壹万贰仟零玖拾陆元整"), ("5445.00", "伍仟肆佰肆拾伍元整"), ("568", "伍佰陆拾捌元整")],
)
def test_the_figures_of_the_contract_and_the_guide_come_out(amount: str, words: str) -> None:
    assert in_words(Decimal(amount)) == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0", "零元整"),
        ("0.05", "伍分"),
        ("0.50", "伍角"),
        ("0.55", "伍角伍分"),
        ("10", "壹拾元整"),
        ("10.05", "壹拾元零伍分"),
        ("100005.00", "壹拾万零伍元整"),
        ("110000.00", "壹拾壹万元整"),
        ("20003000", "贰仟万零叁仟元整"),
        ("100001000", "壹亿零壹仟元整"),
        ("100000000", "壹亿元整"),
        ("10000100000", "壹佰亿零壹拾万元整"),
        ("100000000001", "壹仟亿零壹元整"),
        ("999999999999.99", "玖仟玖佰玖拾玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分"),
    ],
)
def test_zeros_and_large_groups_are_written_by_the_rules(amount: str, words: str) -> None:
    assert in_words(Decimal(amount)) == words


@given(amounts | sparse_amounts)
@example(Decimal("100001000.00"))
def test_an_amount_is_read_back_from_its_words(amount: Decimal) -> None:
    assert read(in_words(amount)) == amount


@given(sparse_amounts)
def test_zeros_are_one_and_never_stand_before_a_unit(amount: Decimal) -> None:
    words = in_words(amount)
    assert "零零" not in words
    assert words == "零元整" or not re.search("零[拾佰仟万亿元角分整]", words)
    assert words.endswith("整") == (amount == amount.to_integral_value())


@given(sparse_amounts)
def test_a_zero_inside_the_yuan_is_never_left_out(amount: Decimal) -> None:
    yuan = str(int(amount)).rstrip("0")
    gaps = len(re.findall("0+", yuan))
    assert in_words(Decimal(int(amount))).count("零") == (gaps if int(amount) else 1)


@pytest.mark.parametrize("amount", ["-0.01", "1000000000000", "NaN", "Infinity"])
def test_an_amount_outside_the_limits_is_not_put_into_words(amount: str) -> None:
    with pytest.raises(ValueError, match="below 10"):
        in_words(Decimal(amount))


@pytest.mark.parametrize("amount", ["0.001", "999999999999.999"])
def test_a_fraction_of_a_fen_is_not_put_into_words(amount: str) -> None:
    with pytest.raises(ValueError, match="two decimals"):
        in_words(Decimal(amount))
