"""Calendar months as whole numbers: year * 12 + month - 1, from 1900-01 to 2999-12.

PostgreSQL keeps the same numbers (function `month_number`), so that a run of months is an int4range there.
"""

import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache

FIRST_YEAR = 1900
LAST_YEAR = 2999
# The contract's YearMonth goes no further, which also bounds every run that a caller can ask for.
FIRST_MONTH = FIRST_YEAR * 12
LAST_MONTH = LAST_YEAR * 12 + 11

_YEAR_MONTH = re.compile(r"((?:19|2[0-9])[0-9]{2})-(0[1-9]|1[0-2])")


def parse(text: str) -> int:
    """Return the month that `text` names.

    Exactly `YYYY-MM` in ASCII digits, years 1900 to 2999. Raises ValueError, which does not repeat the text.
    """
    match = _YEAR_MONTH.fullmatch(text)
    if match is None:
        raise ValueError("a month is written YYYY-MM, years 1900 to 2999")
    return int(match[1]) * 12 + int(match[2]) - 1


@lru_cache(maxsize=LAST_MONTH - FIRST_MONTH + 1)  # all that there are; answers are full of them
def text(month: int) -> str:
    """Return the month as `YYYY-MM`. Raises ValueError outside 1900-01 to 2999-12."""
    return f"{year_of(month)}-{month % 12 + 1:02d}"


def of(day: date) -> int:
    """Return the month of a day. Raises ValueError outside the years 1900 to 2999."""
    return _bounded(day.year * 12 + day.month - 1)


def year_of(month: int) -> int:
    """Return the calendar year of a month. Raises ValueError outside 1900-01 to 2999-12."""
    return _bounded(month) // 12


def first_of_year(year: int) -> int:
    """Return January of a year. Raises ValueError outside the years 1900 to 2999."""
    return _bounded(year * 12)


def last_of_year(year: int) -> int:
    """Return December of a year. Raises ValueError outside the years 1900 to 2999."""
    return _bounded(year * 12 + 11)


def runs(months: Iterable[int]) -> list[tuple[int, int]]:
    """Return the runs of consecutive months, each (first, last) with both included, in order.

    The months may come in any order and more than once.
    """
    found: list[tuple[int, int]] = []
    for month in sorted(set(months)):
        if found and found[-1][1] == month - 1:
            found[-1] = (found[-1][0], month)
        else:
            found.append((month, month))
    return found


def _bounded(month: int) -> int:
    if not FIRST_MONTH <= month <= LAST_MONTH:
        raise ValueError("a month lies in the years 1900 to 2999")
    return month
