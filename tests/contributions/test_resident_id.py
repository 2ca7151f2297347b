from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contributions import resident_id
from contributions.resident_id import InvalidResidentId

SANDBOX = [
    "369999198503120010",
    "369999197809250024",
    "369999199001010035",
    "36999919660630004X",
    "369999199508170054",
    "369999198811240073",
]


def numbered(first17: str) -> str:
    return first17 + resident_id.check_character(first17)


@st.composite
def numbers(draw: st.DrawFn) -> str:
    region = draw(st.from_regex("[0-9]{6}", fullmatch=True))
    birth = draw(st.dates(date(1900, 1, 1), date(2099, 12, 31)))
    sequence = draw(st.integers(0, 999))
    return numbered(f"{region}{birth:%Y%m%d}{sequence:03d}")


# The standard's own two examples, then the fictional people of the contract.
@pytest.mark.parametrize("number", ["11010519491231002X", "440524188001010014", *SANDBOX])
def test_the_check_character_is_that_of_the_standard(number: str) -> None:
    assert resident_id.check_character(number[:17]) == number[17]


@pytest.mark.parametrize("number", ["11010519491231002X", *SANDBOX])
def test_a_number_is_returned_as_it_is(number: str) -> None:
    assert resident_id.parse(number) == number


@given(numbers())
def test_a_number_satisfies_iso_7064_mod_11_2(number: str) -> None:
    # The standard's own procedure: double and add, one character after the other; the result must be 1.
    remainder = 0
    for character in resident_id.parse(number):
        remainder = (remainder * 2 + (10 if character == "X" else int(character))) % 11
    assert remainder == 1


@given(numbers(), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(number: str, position: int, shift: int) -> None:
    digit = str((int(number[position]) + shift) % 10)
    with pytest.raises(InvalidResidentId):
        resident_id.parse(number[:position] + digit + number[position + 1 :])


@given(numbers(), st.integers(0, 15))
def test_two_digits_in_the_wrong_order_are_always_found(number: str, position: int) -> None:
    swapped = number[:position] + number[position + 1] + number[position] + number[position + 2 :]
    if swapped != number:
        with pytest.raises(InvalidResidentId):
            resident_id.parse(swapped)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("", "18 characters"),
        ("36999919850312001", "18 characters"),
        ("3699991985031200100", "18 characters"),
        ("369999198503120010\n", "18 characters"),
        ("36999919850312001 ", "check character"),
        ("369999198503120011", "check character"),
        ("36999919660630004x", "check character"),
        ("36999919660630004Ｘ", "check character"),
        ("3699991985031200１0", "17 digits"),
        ("36999919850312001٠"[::-1], "17 digits"),
        ("3699991985-3120010", "17 digits"),
        ("+36999198503120010", "17 digits"),
        ("X69999198503120010", "17 digits"),
        (numbered("36999918991231001"), "before 1900"),
        (numbered("36999900000101001"), "before 1900"),
        (numbered("36999920230229001"), "no day of the calendar"),
        (numbered("36999919000229001"), "no day of the calendar"),
        (numbered("36999919850012001"), "no day of the calendar"),
        (numbered("36999919851312001"), "no day of the calendar"),
        (numbered("36999919850300001"), "no day of the calendar"),
    ],
)
def test_a_bad_number_is_refused_with_its_reason_and_without_repeating_it(number: str, reason: str) -> None:
    with pytest.raises(InvalidResidentId, match=reason) as refused:
        resident_id.parse(number)
    shown = f"{refused.value!r} {refused.value.__cause__!r}"
    assert not number or (number not in shown and number[6:14] not in shown)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_leap_day_is_a_birth_date() -> None:
    number = numbered("36999920000229001")
    assert resident_id.parse(number) == number


@pytest.mark.parametrize("first17", ["", "3699991985031200", "369999198503120010", "3699991985031200١"])
def test_a_check_character_is_computed_for_17_digits_only(first17: str) -> None:
    with pytest.raises(InvalidResidentId, match="17 digits"):
        resident_id.check_character(first17)
