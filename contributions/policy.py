"""Published schedules as the authorities send them: a TOML file for an insurance, year and pooling area."""

import re
from collections.abc import Mapping
from decimal import Decimal

from contributions import money, months
from contributions.problems import BadInput
from contributions.records import Schedule, Tier

INSURANCES = ("PENSION", "MEDICAL")
# The guide has ten tiers; no authority publishes half a hundred.
MAX_TIERS = 50
# The highest tier of the guide is 300 percent of the average wage.
MAX_PERCENT = 1000
MAX_CODE_LENGTH = 32
# One sentence beside an amount on a telephone's screen.
MAX_NOTE_LENGTH = 200

_KEYS = frozenset({"insurance", "year", "pooling_area", "rate", "average_monthly_wage", "arrears_tier", "tiers"})
_TIER_KEYS = frozenset({"code", "percent", "monthly_base", "monthly_amount", "note"})

_POOLING_AREA = re.compile(r"[0-9]{6}")
# numeric(5, 4) in PostgreSQL, and below one: a rate of 20% is "0.20".
_RATE = re.compile(r"0\.[0-9]{1,4}")


def parse_policy(document: Mapping[str, object]) -> Schedule:
    """Return the schedule that a policy document states.

    `document` is what tomllib made of the file. Amounts and the rate are strings, so that no float comes near
    them. Raises BadInput, whose field is the key as it stands in the file: "tiers[2].monthly_amount", the
    first tier being tiers[0].
    """
    _refuse_unknown(document, _KEYS, "")
    insurance = _text(document, "insurance", "insurance")
    if insurance not in INSURANCES:
        raise BadInput("insurance", "must be PENSION or MEDICAL")
    pooling_area = _text(document, "pooling_area", "pooling_area")
    if _POOLING_AREA.fullmatch(pooling_area) is None:
        raise BadInput("pooling_area", "must be the six digits of a region")
    tiers = _tiers(document)
    return Schedule(
        insurance=insurance,
        year=_integer(document, "year", "year", months.FIRST_YEAR, months.LAST_YEAR),
        pooling_area=pooling_area,
        rate=_rate(document),
        average_monthly_wage=_amount(document, "average_monthly_wage", "average_monthly_wage"),
        arrears_tier=_arrears_tier(document, insurance, tiers),
        tiers=tiers,
    )


def _tiers(document: Mapping[str, object]) -> tuple[Tier, ...]:
    entries = _required(document, "tiers", "tiers")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_TIERS:
        raise BadInput("tiers", f"must be 1 to {MAX_TIERS} tables [[tiers]]")
    tiers: list[Tier] = []
    codes: set[str] = set()
    for index, entry in enumerate(entries):
        path = f"tiers[{index}]"
        if not isinstance(entry, dict):
            raise BadInput(path, "must be a table [[tiers]]")
        tier = _tier(entry, path)
        if tier.code in codes:
            raise BadInput(f"{path}.code", "is the code of a tier before it")
        codes.add(tier.code)
        tiers.append(tier)
    return tuple(tiers)


def _tier(entry: Mapping[str, object], path: str) -> Tier:
    _refuse_unknown(entry, _TIER_KEYS, f"{path}.")
    code = _label(entry, "code", f"{path}.code", MAX_CODE_LENGTH)
    percent = _integer(entry, "percent", f"{path}.percent", 1, MAX_PERCENT) if "percent" in entry else None
    monthly_base = _amount(entry, "monthly_base", f"{path}.monthly_base")
    monthly_amount = _amount(entry, "monthly_amount", f"{path}.monthly_amount")
    note = _label(entry, "note", f"{path}.note", MAX_NOTE_LENGTH) if "note" in entry else None
    return Tier(code, percent, monthly_base, monthly_amount, note)


def _arrears_tier(document: Mapping[str, object], insurance: str, tiers: tuple[Tier, ...]) -> str | None:
    # Medical contributions are paid by assessed bill only, so that nothing asks for their arrears tier.
    if insurance == "MEDICAL" and "arrears_tier" not in document:
        return None
    code = _text(document, "arrears_tier", "arrears_tier")
    if all(code != tier.code for tier in tiers):
        raise BadInput("arrears_tier", "must be the code of one of the tiers")
    return code


def _rate(document: Mapping[str, object]) -> Decimal:
    text = _text(document, "rate", "rate")
    if _RATE.fullmatch(text) is None or not Decimal(text):
        raise BadInput("rate", 'must be a fraction between 0 and 1 with at most four decimals, such as "0.20"')
    return Decimal(text)


def _amount(table: Mapping[str, object], key: str, path: str) -> Decimal:
    try:
        amount = money.parse(_text(table, key, path))
    except ValueError as error:
        raise BadInput(path, str(error)) from error
    if not amount:
        raise BadInput(path, "must be above zero")
    return amount


def _label(table: Mapping[str, object], key: str, path: str, max_length: int) -> str:
    text = _text(table, key, path)
    if not 1 <= len(text) <= max_length or not text.isprintable() or text != text.strip():
        raise BadInput(path, f"must be 1 to {max_length} printable characters with no space around them")
    return text


def _integer(table: Mapping[str, object], key: str, path: str, lowest: int, highest: int) -> int:
    value = _required(table, key, path)
    # bool is a kind of int in Python, and no number in TOML.
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise BadInput(path, f"must be a whole number from {lowest} to {highest}")
    return value


def _text(table: Mapping[str, object], key: str, path: str) -> str:
    value = _required(table, key, path)
    if not isinstance(value, str):
        raise BadInput(path, "must be a string")
    return value


def _required(table: Mapping[str, object], key: str, path: str) -> object:
    if key not in table:
        raise BadInput(path, "is missing")
    return table[key]


def _refuse_unknown(table: Mapping[str, object], known: frozenset[str], prefix: str) -> None:
    for key in table:
        if key not in known:
            raise BadInput(f"{prefix}{key}", "is no key of a policy")
