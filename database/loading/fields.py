"""The fields of agencies' files: text in, the value that goes to the staging table out.

What repeats from row to row is remembered, since a file has a million rows and a few hundred months; each
memory is bounded. Identity numbers and names are never remembered.
"""

import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Final, TypeVar

from contributions import money, months, names, resident_id
from database.loading.copying import NULL, escaped

Value = TypeVar("Value")

# A bill number's column (0001_ledger.sql).
MAX_BILL_NUMBER_LENGTH: Final = 64

_INSURANCES: Final = frozenset({"PENSION", "MEDICAL"})
_ORIGINS: Final = frozenset({"PAYER_ARREARS", "AGENCY_COUNTER", "MEDICAL_BATCH"})
_POOLING_AREA: Final = re.compile(r"[0-9]{6}")
_DAY: Final = re.compile(r"(?:19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}")


class RowRefused(Exception):
    """A row cannot be read. `code` is one of reasons.CODES, `field` the column it is about."""

    def __init__(self, code: str, field: str | None = None) -> None:
        super().__init__(code, field)
        self.code = code
        self.field = field


def read(field: str, parse: Callable[[str], Value], text: str) -> Value:
    """Return the value of a field. Raises RowRefused, without the text, where `parse` raises ValueError."""
    try:
        return parse(text)
    except ValueError:
        # The cause is cut off: a message of Python's own may repeat the text.
        raise RowRefused("INVALID_FIELD", field) from None


def run_of_months(first_text: str, last_text: str) -> tuple[int, int]:
    """Return the first and the last month of a run, both included. Raises RowRefused."""
    first = read("first_month", month, first_text)
    last = read("last_month", month, last_text)
    if last < first:
        raise RowRefused("MONTHS_REVERSED")
    return first, last


@lru_cache(maxsize=16_384)
def enrolment(insurance_text: str, area_text: str, first_text: str, last_text: str) -> str:
    """Return insurance, pooling area, first and last month for COPY; no last month goes on. Raises RowRefused."""
    read("insurance", insurance, insurance_text)
    read("pooling_area", pooling_area, area_text)
    if last_text:
        first, last = run_of_months(first_text, last_text)
        return f"{insurance_text}\t{area_text}\t{first}\t{last}"
    return f"{insurance_text}\t{area_text}\t{read('first_month', month, first_text)}\t{NULL}"


@lru_cache(maxsize=16_384)
def assessed_run(insurance_text: str, area_text: str, first_text: str, last_text: str) -> str:
    """Return insurance, pooling area, first and last month of a bill for COPY. Raises RowRefused."""
    read("insurance", insurance, insurance_text)
    read("pooling_area", pooling_area, area_text)
    first, last = run_of_months(first_text, last_text)
    return f"{insurance_text}\t{area_text}\t{first}\t{last}"


@lru_cache(maxsize=16_384)
def last_day_and_origin(pay_by_text: str, origin_text: str) -> str:
    """Return the last day on which a bill can be paid, empty for none, and its origin, for COPY. Raises RowRefused."""
    if pay_by_text:
        read("pay_by", day, pay_by_text)
    return f"{pay_by_text or NULL}\t{read('origin', origin, origin_text)}"


# The months from 1900 to 2999 are 13,200.
month = lru_cache(maxsize=16_384)(months.parse)


def person_number(text: str) -> str:
    """Return a resident identity number. Raises RowRefused."""
    try:
        return resident_id.parse(text)
    except ValueError:
        raise RowRefused("INVALID_FIELD", "resident_id") from None


def person_name(text: str) -> str:
    """Return a name in the form in which names are compared. Raises RowRefused."""
    try:
        return names.normalise(text)
    except ValueError:
        raise RowRefused("INVALID_FIELD", "name") from None


@lru_cache(maxsize=16_384)
def amount(text: str) -> str:
    """Return an amount of money that is paid or asked for, above zero, for COPY. Raises RowRefused."""
    if not read("amount", money.parse, text):
        raise RowRefused("INVALID_FIELD", "amount")
    return text


@lru_cache(maxsize=16_384)
def day(text: str) -> date:
    """Return a day of the calendar, written YYYY-MM-DD, years 1900 to 2999."""
    if _DAY.fullmatch(text) is None:
        raise ValueError("a day is written YYYY-MM-DD")
    return date.fromisoformat(text)


def insurance(text: str) -> str:
    """Return one of the two insurances."""
    if text not in _INSURANCES:
        raise ValueError("an insurance is PENSION or MEDICAL")
    return text


def origin(text: str) -> str:
    """Return where a bill comes from."""
    if text not in _ORIGINS:
        raise ValueError("an origin is PAYER_ARREARS, AGENCY_COUNTER or MEDICAL_BATCH")
    return text


def pooling_area(text: str) -> str:
    """Return the code of a region; whether there is such a pooling area is for PostgreSQL to say."""
    if _POOLING_AREA.fullmatch(text) is None:
        raise ValueError("a pooling area is six digits")
    return text


def bill_number(text: str) -> str:
    """Return an agency's number of a bill, printable with no space around it, for COPY. Raises RowRefused."""
    if not 1 <= len(text) <= MAX_BILL_NUMBER_LENGTH or not text.isprintable() or text != text.strip():
        raise RowRefused("INVALID_FIELD", "bill_number")
    return escaped(text)
