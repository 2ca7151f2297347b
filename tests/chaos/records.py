"""What the banks of a run know: every payment that they asked for, and what they were told of it."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class State(Enum):
    """What a bank knows of one payment."""

    DOUBT = "no clear answer yet"
    REFUSED = "refused: the gateway recorded nothing"
    ACCEPTED = "acknowledged"
    REVERSING = "acknowledged, and a reversal has no clear answer yet"
    REVERSED = "acknowledged, and its reversal too"


@dataclass(slots=True)
class Asked:
    """One payment that a bank has asked for. Amounts are as they stand in the API, months are "2020-07"."""

    institution: str
    reference: str
    payable_id: str
    amount: str
    first_month: str
    last_month: str
    collected_at: str
    state: State = State.DOUBT
    receipt: str | None = None

    @property
    def submission(self) -> dict[str, str]:
        """What submitPayment is given, the same each time."""
        return {
            "payableId": self.payable_id,
            "amount": self.amount,
            "bankReference": self.reference,
            "collectedAt": self.collected_at,
        }


@dataclass
class Records:
    """What all banks of a run know together. Their threads write; it is read when they have ended."""

    asked: list[Asked] = field(default_factory=list)
    #: What was counted, by name.
    counts: Counter[str] = field(default_factory=Counter)
    #: Answers that were wrong, in words.
    wrong: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, asked: Asked) -> None:
        """Write down a payment before it is sent for the first time."""
        with self._lock:
            self.asked.append(asked)

    def count(self, name: str) -> None:
        """Count one more of what is called so."""
        with self._lock:
            self.counts[name] += 1

    def complain(self, what: str, *about: Any) -> None:
        """Keep an answer that cannot be right."""
        with self._lock:
            self.wrong.append(" ".join([what, *map(str, about)]))

    def accepted(self, asked: Asked, payment: dict[str, Any]) -> None:
        """Take in an answer that has the payment in the ledger, and compare it with all answers before."""
        receipt = payment["receipt"]
        if asked.state is State.REFUSED:
            self.complain("accepted after it had been refused:", asked.reference)
        if asked.receipt not in (None, receipt["number"]):
            self.complain("another receipt than before:", asked.reference, asked.receipt, receipt["number"])
        told = (payment["amount"], receipt["firstMonth"], receipt["lastMonth"])
        if told != (asked.amount, asked.first_month, asked.last_month):
            self.complain("another amount or other months than asked for:", asked.reference, told)
        reversible = {State.REVERSING, State.REVERSED}
        if payment["status"] == "REVERSED" and asked.state not in reversible:
            self.complain("reversed, though nobody asked:", asked.reference)
        if payment["status"] != "REVERSED" and asked.state is State.REVERSED:
            self.complain("standing after its reversal:", asked.reference)
        asked.receipt = receipt["number"]
        if asked.state in (State.DOUBT, State.REFUSED):
            asked.state = State.ACCEPTED
            self.count("payments acknowledged")
