"""What there is in the small model, and how it is told: people, payables, payments, and the contract's facts of them.

Months are texts like "2020-07", which sort as they should, and sets of them stand for what the gateway keeps as ranges.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Facts = dict[str, Any]
AREAS = {"PENSION": "360000", "MEDICAL": "360100"}


@dataclass(eq=False)
class Person:
    """Somebody enrolled, with the months paid elsewhere by insurance. A last month of None: it goes on."""

    enrolments: dict[str, tuple[str, str | None]]
    paid_elsewhere: dict[str, set[str]]


@dataclass(eq=False)
class Payable:
    """A quote (of one institution, at a tier, until it expires) or an assessed bill (with a number)."""

    person: Person
    insurance: str
    months: list[str]
    amount: Decimal
    lines: list[Facts]
    institution: str = ""
    tier: Facts = field(default_factory=dict)
    expired: bool = False
    number: str = ""
    origin: str = ""
    pay_by: str | None = None
    withdrawn: bool = False

    @property
    def is_quote(self) -> bool:
        return bool(self.institution)


@dataclass(eq=False)
class Payment:
    """What one institution collected for a payable under its own reference, on one business day."""

    institution: str
    channel: str
    reference: str
    payable: Payable
    amount: Decimal
    collected_at: str
    day: str
    reversed: bool = False
    refunds: list["Refund"] = field(default_factory=list)

    @property
    def status(self) -> str:
        refunded = any(refund.status == "REFUNDED" for refund in self.refunds)
        return "REVERSED" if self.reversed else "REFUNDED" if refunded else "ACCEPTED"

    @property
    def standing(self) -> bool:
        return self.status == "ACCEPTED"


@dataclass(eq=False)
class Refund:
    """A request to give a payment back: REQUESTED, then REJECTED or REFUNDED."""

    payment: Payment
    status: str = "REQUESTED"


@dataclass(frozen=True)
class Answer:
    """What the gateway must answer, and what came into the world by it."""

    kind: str
    facts: Facts = field(default_factory=dict)
    made: Any = None


def run(first: str, last: str) -> list[str]:
    """Return the months from first to last, both included."""
    year, month = map(int, first.split("-"))
    months = []
    while (text := f"{year}-{month:02}") <= last:
        months.append(text)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return months


def yuan(amount: Decimal) -> str:
    return f"{amount:.2f}"


def total(payments: list[Payment]) -> Facts:
    return {"count": len(payments), "amount": yuan(sum((p.amount for p in payments), Decimal(0)))}


def span(months: list[str]) -> Facts:
    return {"firstMonth": months[0], "lastMonth": months[-1], "monthCount": len(months)}


def price(lines: Iterable[Facts]) -> Decimal:
    return sum((Decimal(line["amount"]) for line in lines), Decimal(0))


def tier_facts(tier: Facts) -> Facts:
    return {
        "code": tier["code"],
        "percent": tier.get("percent"),
        "monthlyBase": tier["monthly_base"],
        "monthlyAmount": tier["monthly_amount"],
        "note": tier.get("note"),
    }


def payable_facts(payable: Payable) -> Facts:
    return {"insurance": payable.insurance, **span(payable.months), "amount": yuan(payable.amount)}


def differences(held: dict[str, Payment], listed: dict[str, tuple[Decimal, bool]]) -> Iterable[Facts]:
    for reference in held.keys() | listed.keys():
        ours, theirs = held.get(reference), listed.get(reference)
        kinds = {
            "MISSING_AT_GATEWAY": ours is None,
            "MISSING_AT_BANK": theirs is None,
            "AMOUNT_DIFFERS": ours and theirs and ours.amount != theirs[0],
            "STATUS_DIFFERS": ours and theirs and ours.reversed != theirs[1],
        }
        for kind in (kind for kind, found in kinds.items() if found):
            yield {
                "kind": kind,
                "bankReference": reference,
                "gatewayAmount": yuan(ours.amount) if ours else None,
                "bankAmount": yuan(theirs[0]) if theirs else None,
            }
