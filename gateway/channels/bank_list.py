"""The bank's own list of a day as lines of text, and the differences that can be planted into it for trying."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

#: More than anybody types or pays in the sandbox's day; for larger days there is PUT /settlements/{date}.
MAX_LINES: Final = 500
#: What marks a payment that the bank holds as reversed.
REVERSED: Final = "reversed"
#: What can be planted, by the difference that the comparison then finds.
PLANTS: Final = ("MISSING_AT_BANK", "MISSING_AT_GATEWAY", "AMOUNT_DIFFERS", "STATUS_DIFFERS")

Entry = dict[str, Any]


class BadLine(ValueError):
    """A line that is none of the list's; `number` counts from one."""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number}")
        self.number = number


def parse(text: str) -> list[Entry]:
    """Return the entries of lines `reference,amount` or `reference,amount,reversed`; empty lines don't count.

    References and amounts are judged by the API. Raises BadLine.
    """
    entries: list[Entry] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split(",")]
        if len(entries) == MAX_LINES or not (len(cells) == 2 or (len(cells) == 3 and cells[2] == REVERSED)):
            raise BadLine(number)
        entries.append({"bankReference": cells[0], "amount": cells[1], "reversed": len(cells) == 3})
    return entries


def written(entries: Sequence[Entry]) -> str:
    """Return the entries as lines."""
    return "\n".join(f"{e['bankReference']},{e['amount']}{f',{REVERSED}' if e['reversed'] else ''}" for e in entries)


def entry_of(payment: dict[str, Any]) -> Entry:
    """Return a payment of the ledger as a bank that has made no mistake holds it."""
    return {
        "bankReference": payment["bankReference"],
        "amount": payment["amount"],
        "reversed": payment["status"] == "REVERSED",
    }


def planted(entries: Sequence[Entry], difference: str, stranger: str) -> list[Entry]:
    """Return the list with one mistake more: in its first entry, or with the reference of a payment that is nobody's.

    Raises ValueError for an unknown difference; a list without entries has nothing to get wrong but that stranger.
    """
    if difference not in PLANTS:
        raise ValueError("no such difference")
    changed = [dict(entry) for entry in entries]
    if difference == "MISSING_AT_GATEWAY":
        return [*changed, {"bankReference": stranger, "amount": "100.00", "reversed": False}]
    if not changed:
        return changed
    match difference:
        case "MISSING_AT_BANK":
            return changed[1:]
        case "AMOUNT_DIFFERS":
            changed[0]["amount"] = _one_more(changed[0]["amount"])
        case "STATUS_DIFFERS":
            changed[0]["reversed"] = not changed[0]["reversed"]
    return changed


def _one_more(amount: str) -> str:
    try:
        return str(Decimal(amount) + 1)
    except ArithmeticError:
        # Not an amount: it differs already.
        return amount
