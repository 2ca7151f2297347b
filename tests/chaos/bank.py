"""A bank that collects contributions over a bad line, and asks until it knows what became of each payment."""

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from gateway.demo.client import document
from tests.acceptance.operations import COLLECTED_AT
from tests.acceptance.people import Person
from tests.chaos.line import Doubt, Line
from tests.chaos.records import Asked, Records, State

#: How long a doubt may last once everything runs: far longer than any start or statement.
RESOLVE_SECONDS = 90.0
#: Between two tries to resolve one.
PAUSE_SECONDS = 0.2
#: People who are at the counter at one moment: few, so that banks race for the same months.
HOT_PEOPLE = 4
MONTHS_AT_MOST = 6
#: A customer takes a moment between a price and the money, in which another bank may be faster.
THINK_SECONDS = 0.1

#: A refusal that others' payments and assessments explain.
EXPLAINED = {"MONTHS_ALREADY_PAID", "BILL_NOT_PAYABLE"}

#: The demo's own, with the months that the receipt is for.
FIND_PAYMENT = """query ($bankReference: String!) { payment(bankReference: $bankReference) {
  amount status receipt { number firstMonth lastMonth } } }"""
PERIODS = """query ($residentId: ResidentId!, $name: String!) { payer(residentId: $residentId, name: $name) {
  id payablePeriods(insurance: PENSION) { mode firstMonth lastMonth monthCount } } }"""
REVERSE = """mutation ($input: ReversePaymentInput!) { reversePayment(input: $input) {
  ... on PaymentReversed { payment { amount status receipt { number firstMonth lastMonth } } }
  ... on Problem { code } } }"""


class Bank(threading.Thread):
    """One counter, working until `closing` is set; then it resolves what it doubts and ends."""

    def __init__(
        self,
        name: str,
        institution: str,
        line: Line,
        rng: random.Random,
        records: Records,
        people: Callable[[], list[Person]],
        closing: threading.Event,
    ) -> None:
        # A run that fails does not wait for its banks, which go on asking for a while.
        super().__init__(name=name, daemon=True)
        self.institution = institution
        self.line = line
        self._rng = rng
        self._records = records
        self._people = people
        self._closing = closing
        self._serial = 0
        self._mine: list[Asked] = []
        #: What ended this thread before its time.
        self.failed: BaseException | None = None

    def run(self) -> None:
        """Serve one customer after the other."""
        try:
            while not self._closing.is_set():
                try:
                    self._rng.choices((self._pay, self._reverse, self._replay, self._inquire), (6, 2, 1, 1))[0]()
                except Doubt:
                    time.sleep(self._rng.uniform(0, PAUSE_SECONDS))
            self._resolve_all()
        except BaseException as error:
            self.failed = error
            raise
        finally:
            self.line.close()

    def _known(self, *states: State) -> Asked | None:
        # The latest are the likeliest to be hurt by what has just been killed.
        found = [asked for asked in self._mine[-200:] if asked.state in states]
        return self._rng.choice(found) if found else None

    def _pay(self) -> None:
        payable = self._payable()
        if payable is None:
            return
        time.sleep(self._rng.uniform(0, THINK_SECONDS))
        self._serial += 1
        asked = Asked(
            institution=self.institution,
            reference=f"{self.name}-{self._serial}",
            payable_id=payable["id"],
            amount=payable["amount"],
            first_month=payable["firstMonth"],
            last_month=payable["lastMonth"],
            collected_at=COLLECTED_AT,
        )
        self._mine.append(asked)
        self._records.ask(asked)
        try:
            self._submit(asked)
        except Doubt:
            self._resolve(asked, time.monotonic() + RESOLVE_SECONDS)

    def _payable(self) -> dict[str, Any] | None:
        """Quote or assess a short run of months that somebody owes."""
        person = self._rng.choice(self._people())
        payer = self.line.call(PERIODS, person.variables)["payer"]
        if payer is None:
            self._records.complain("somebody enrolled is not known")
            return None
        if not payer["payablePeriods"]:
            return None
        period = self._rng.choice(payer["payablePeriods"])
        first, last = self._run_inside(period)
        run = {"payerId": payer["id"], "firstMonth": first, "lastMonth": last}
        if period["mode"] == "CURRENT_YEAR":
            answer = self.line.call(document("request_quote"), {"input": {**run, "tier": "60"}})["requestQuote"]
        else:
            answer = self.line.call(document("request_assessment"), {"input": run})["requestAssessment"]
        if "id" in answer:
            if (answer["firstMonth"], answer["lastMonth"]) != (first, last):
                self._records.complain("a quote or bill for other months than asked for")
            return dict(answer)
        if answer["code"] != "PERIOD_NOT_PAYABLE":
            self._records.complain("neither quoted nor assessed:", answer["code"])
        return None

    def _run_inside(self, period: dict[str, Any]) -> tuple[str, str]:
        year, month = map(int, period["firstMonth"].split("-"))
        count = self._rng.randint(1, min(MONTHS_AT_MOST, period["monthCount"]))
        first = year * 12 + month - 1 + self._rng.randint(0, period["monthCount"] - count)
        return _month(first), _month(first + count - 1)

    def _submit(self, asked: Asked) -> None:
        answer = self.line.call(document("submit_payment"), {"input": asked.submission}, may_be_cut=True)
        outcome = answer["submitPayment"]
        if "payment" in outcome:
            self._records.accepted(asked, outcome["payment"])
        elif asked.state is not State.DOUBT:
            self._records.complain("refused after it had been accepted:", asked.reference, outcome["code"])
        else:
            asked.state = State.REFUSED
            self._records.count("payments refused")
            if outcome["code"] not in EXPLAINED:
                self._records.complain("refused without a reason:", asked.reference, outcome["code"])

    def _look(self, asked: Asked) -> bool:
        """Ask what became of a payment; whether the gateway has it."""
        payment = self.line.call(FIND_PAYMENT, {"bankReference": asked.reference})["payment"]
        if payment is not None:
            self._records.accepted(asked, payment)
            if payment["status"] == "REVERSED" and asked.state is State.REVERSING:
                self._reversed(asked)
        elif asked.state not in (State.DOUBT, State.REFUSED):
            self._records.complain("gone after it had been accepted:", asked.reference)
        return payment is not None

    def _replay(self) -> None:
        asked = self._known(State.ACCEPTED, State.REVERSED)
        if asked is not None:
            self._submit(asked)
            self._records.count("replays")

    def _inquire(self) -> None:
        asked = self._known(*State)
        if asked is not None:
            self._look(asked)
            self._records.count("inquiries")

    def _reverse(self) -> None:
        asked = self._known(State.ACCEPTED)
        if asked is not None:
            asked.state = State.REVERSING
            try:
                self._send_reversal(asked)
            except Doubt:
                self._resolve(asked, time.monotonic() + RESOLVE_SECONDS)

    def _send_reversal(self, asked: Asked) -> None:
        reversal = {"bankReference": asked.reference, "reason": "chaos"}
        answer = self.line.call(REVERSE, {"input": reversal}, may_be_cut=True)["reversePayment"]
        if "payment" not in answer:
            self._records.complain("not reversed:", asked.reference, answer["code"])
            return
        self._records.accepted(asked, answer["payment"])
        self._reversed(asked)

    def _reversed(self, asked: Asked) -> None:
        asked.state = State.REVERSED
        self._records.count("reversals acknowledged")

    def _resolve(self, asked: Asked, give_up_at: float) -> None:
        """Repeat, or ask, until it is clear. That the gateway does not have it yet is not: the first may still run."""
        while asked.state in (State.DOUBT, State.REVERSING) and time.monotonic() < give_up_at:
            time.sleep(self._rng.uniform(0, PAUSE_SECONDS))
            try:
                if self._rng.random() < 0.4 and self._look(asked):
                    continue
                if asked.state is State.REVERSING:
                    self._send_reversal(asked)
                elif asked.state is State.DOUBT:
                    self._submit(asked)
            except Doubt:
                continue

    def _resolve_all(self) -> None:
        give_up_at = time.monotonic() + RESOLVE_SECONDS
        for asked in self._mine:
            self._resolve(asked, give_up_at)


def _month(number: int) -> str:
    return f"{number // 12}-{number % 12 + 1:02}"
