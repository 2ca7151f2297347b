"""Amounts of renminbi: yuan as Decimal with two decimals, never a float."""

import re
from decimal import Decimal

# The contract's Yuan, and numeric(14, 2) in PostgreSQL: twelve digits before the point, two after it.
_YUAN = re.compile(r"((?:0|[1-9][0-9]{0,11}))(?:\.([0-9]{1,2}))?")


def parse(text: str) -> Decimal:
    """Return the amount in yuan that `text` states, with two decimals.

    ASCII digits with at most two decimals ("605" and "605.00" are equal), below 10^12: no sign, exponent,
    space or superfluous leading zero. Zero is an amount; whoever takes money refuses it. Raises ValueError,
    which does not repeat the text.
    """
    match = _YUAN.fullmatch(text)
    if match is None:
        raise ValueError("an amount is written in digits with at most two decimals, below 10^12")
    # Padding the text keeps the result apart from whatever decimal context the caller runs in.
    return Decimal(f"{match[1]}.{match[2] or '':0<2}")


def text(amount: Decimal) -> str:
    """Return the amount in yuan with two decimals: "12096.00".

    Raises ValueError for an amount that two decimals cannot state: money is never rounded here.
    """
    plain = str(amount)
    if plain[-3:-2] == ".":
        # As numeric(14, 2) gives it: with two decimals, and no exponent behind them.
        return plain
    rendered = f"{amount:.2f}"
    if not amount.is_finite() or Decimal(rendered) != amount:
        raise ValueError("an amount of yuan has at most two decimals")
    return rendered


def rate_text(rate: Decimal) -> str:
    """Return a contribution rate (费率) as a decimal fraction: "0.20", "0.085".

    At least two decimals, and no zeros after them: PostgreSQL's numeric(5, 4) gives 0.2000 for the 0.20
    that the authorities publish. Raises ValueError for a rate with more than four decimals.
    """
    rendered = f"{rate:.4f}"
    if not rate.is_finite() or Decimal(rendered) != rate:
        raise ValueError("a rate has at most four decimals")
    return rendered[:-2] + rendered[-2:].rstrip("0")
