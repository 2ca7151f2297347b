"""Messages for people, by code, in the language of Accept-Language. Catalogues are gettext's, read by Babel."""

import io
from functools import cache, lru_cache
from importlib.resources import files

from babel.messages.pofile import read_po

from contributions import money, months
from contributions.problems import AmountMismatch, BillNotPayable, MonthsAlreadyPaid, Refusal, Rejection

#: The first is what a caller hears that asks for no language we have.
LOCALES = ("zh_CN", "en")

#: No browser or bank sends more; what comes after is not read.
MAX_ACCEPT_LANGUAGE_LENGTH = 256


@cache
def _catalogue(locale: str) -> dict[str, str]:
    source = files("schema").joinpath("catalogues", f"{locale}.po").read_bytes()
    return {
        str(message.id): str(message.string) for message in read_po(io.BytesIO(source), locale=locale) if message.id
    }


def text(code: str, locale: str, **values: str) -> str:
    """Return the message of a code with its placeholders filled. Raises KeyError for an unknown code."""
    return _catalogue(locale)[code].format(**values)


def message_of(problem: Refusal | Rejection, locale: str) -> str:
    """Return what a refusal or a rejected bill says to people."""
    values: dict[str, str] = {}
    match problem:
        case BillNotPayable(next_action="CORRECT_REQUEST"):
            # To an agency that would withdraw it: there is no money to return.
            return text("BILL_NOT_WITHDRAWABLE", locale)
        case MonthsAlreadyPaid(months=paid):
            values["months"] = _runs(paid)
        case AmountMismatch(expected=expected):
            values["expected"] = money.text(expected)
        case Rejection(code="MONTHS_ALREADY_PAID"):
            # Of a bill: it says which bill, not which months.
            return text("REJECTED_MONTHS_ALREADY_PAID", locale)
    return text(problem.code, locale, **values)


def _runs(numbers: tuple[int, ...]) -> str:
    """Write months as runs: "2020-04..2020-06, 2020-09"."""
    return ", ".join(
        months.text(first) if first == last else f"{months.text(first)}..{months.text(last)}"
        for first, last in months.runs(numbers)
    )


@lru_cache(maxsize=256)  # an app sends the same each time
def negotiate(accept_language: str | None) -> str:
    """Return the locale that an Accept-Language header prefers among ours (RFC 9110, section 12.5.4)."""
    best, best_quality = LOCALES[0], 0.0
    for entry in (accept_language or "")[:MAX_ACCEPT_LANGUAGE_LENGTH].split(","):
        tag, _, parameters = entry.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        locale = next((ours for ours in LOCALES if ours.partition("_")[0] == language), None)
        quality = _quality(parameters)
        if locale is not None and quality > best_quality:
            best, best_quality = locale, quality
    return best


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
