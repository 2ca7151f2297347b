"""Resident identity numbers (公民身份号码), GB 11643-1999.

Eighteen characters: six of the region, eight of the birth date, three of the sequence, and a check
character of ISO 7064, MOD 11-2. The region is not looked up: regions are renamed and merged, and a number
keeps the code of its day.
"""

from datetime import date
from functools import lru_cache

LENGTH = 18
# Nobody who pays contributions was born earlier, so that an earlier year is a slip of the pen.
FIRST_BIRTH_YEAR = 1900

# The check character makes the weighted sum congruent to 1 modulo 11; X is ten.
_CHECKS: tuple[str, ...] = tuple("0123456789X"[(1 - total) % 11] for total in range(11))


class InvalidResidentId(ValueError):
    """What is wrong with a resident identity number, in words that do not repeat the number."""


def parse(text: str) -> str:
    """Return `text` when it is a resident identity number.

    Seventeen ASCII digits and a check character (X in upper case only), a birth date of the calendar from
    1900 on. Raises InvalidResidentId.
    """
    if len(text) != LENGTH:
        raise InvalidResidentId("a resident identity number has 18 characters")
    check, wrong = _read(text)
    if check != text[17]:
        raise InvalidResidentId("the check character does not match the digits before it")
    if wrong is not None:
        raise InvalidResidentId(wrong)
    return text


def check_character(first17: str) -> str:
    """Return the check character of the seventeen digits before it. Raises InvalidResidentId."""
    if len(first17) != LENGTH - 1:
        raise InvalidResidentId("a resident identity number begins with 17 digits")
    return _read(first17)[0]


def _read(text: str) -> tuple[str, str | None]:
    """Return the check character that the first seventeen digits ask for, and what is wrong with the birth date."""
    birth, wrong = _birth_date(text[6:14])
    # A digit's weight is 2 to the power of the number of characters behind it.
    total = (_weighted(text[:6]) << 12) + (birth << 4) + (_weighted(text[14:17]) << 1)
    return _CHECKS[total % 11], wrong


# A file of a million rows asks for each of these parts again and again, and none of them is anybody's. The regions are
# some four thousand with those of former days, the sequences a thousand; the days of a century are 36,525.
@lru_cache(maxsize=8_192)
def _weighted(digits: str) -> int:
    if not (digits.isascii() and digits.isdigit()):
        raise InvalidResidentId("a resident identity number begins with 17 digits")
    # Each digit has twice the weight of the next, as in a number to the base of 2.
    total = 0
    for digit in digits:
        total = 2 * total + int(digit)
    return total


@lru_cache(maxsize=40_000)
def _birth_date(digits: str) -> tuple[int, str | None]:
    """Return what the digits come to, weighted, and what is wrong with them as a date."""
    weighted = _weighted(digits)
    year = int(digits[:4])
    if year < FIRST_BIRTH_YEAR:
        return weighted, "the birth date lies before 1900"
    try:
        date(year, int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return weighted, "the birth date is no day of the calendar"
    return weighted, None
