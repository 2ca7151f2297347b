"""Resident identity numbers (公民身份号码), GB 11643-1999.

Eighteen characters: six of the region, eight of the birth date, three of the sequence, and a check
character of ISO 7064, MOD 11-2. The region is not looked up: regions are renamed and merged, and a number
keeps the code of its day.
"""

from datetime import date
from functools import lru_cache
from operator import mul

LENGTH = 18
# Nobody who pays contributions was born earlier, so that an earlier year is a slip of the pen.
FIRST_BIRTH_YEAR = 1900

_WEIGHTS: tuple[int, ...] = tuple(2 ** (17 - position) % 11 for position in range(17))
# The check character makes the weighted sum congruent to 1 modulo 11; X is ten. Summed over the ASCII
# codes of the digits, each of them 48 too large, the table is turned by what that adds: one pass over
# bytes, as a file of a million rows asks for it a million times.
_CHECKS: tuple[str, ...] = tuple("0123456789X"[(1 - total + 48 * sum(_WEIGHTS)) % 11] for total in range(11))


class InvalidResidentId(ValueError):
    """What is wrong with a resident identity number, in words that do not repeat the number."""


def parse(text: str) -> str:
    """Return `text` when it is a resident identity number.

    Seventeen ASCII digits and a check character (X in upper case only), a birth date of the calendar from
    1900 on. Raises InvalidResidentId.
    """
    if len(text) != LENGTH:
        raise InvalidResidentId("a resident identity number has 18 characters")
    if check_character(text[:17]) != text[17]:
        raise InvalidResidentId("the check character does not match the digits before it")
    wrong = _wrong_with_birth_date(text[6:14])
    if wrong is not None:
        raise InvalidResidentId(wrong)
    return text


# The days of a century are 36,525: a file of a million rows asks for each some thirty times. A day is nobody's.
@lru_cache(maxsize=40_000)
def _wrong_with_birth_date(digits: str) -> str | None:
    year = int(digits[:4])
    if year < FIRST_BIRTH_YEAR:
        return "the birth date lies before 1900"
    try:
        date(year, int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return "the birth date is no day of the calendar"
    return None


def check_character(first17: str) -> str:
    """Return the check character of the seventeen digits before it. Raises InvalidResidentId."""
    if not (len(first17) == 17 and first17.isascii() and first17.isdigit()):
        raise InvalidResidentId("a resident identity number begins with 17 digits")
    total: int = sum(map(mul, _WEIGHTS, first17.encode()))
    return _CHECKS[total % 11]
