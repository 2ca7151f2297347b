"""What banks and agencies may do, step by step: each step is done by the gateway and by the model, and compared."""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.acceptance.operations import (
    PAYER,
    REQUEST_ASSESSMENT,
    REQUEST_QUOTE,
    REVERSE_PAYMENT,
    SUBMIT_PAYMENT,
)
from tests.model.agencies import Agencies
from tests.model.drawing import (
    CHANNELS,
    COLLECTED_AT,
    COUNTERS,
    ELSEWHERE,
    INSTITUTIONS,
    PENSIONS,
    PICK,
    REASON,
    REFERENCES,
    RUNS,
    SOMEBODY,
    TELLERS,
    TODAY,
    WRONG_BY,
    Run,
)
from tests.model.gateways import DAYS, PEOPLE, Enrolled
from tests.model.ledger import Answer, Facts, Payable, Person, run, yuan
from tests.model.refunding import Refunding
from tests.model.watching import RECONCILE


class Machine(Agencies, Refunding):
    """All the steps. Whatever is drawn can be done: a pick is taken among what there is by then."""

    @initialize(pensions=st.tuples(PENSIONS, PENSIONS), elsewhere=st.tuples(ELSEWHERE, ELSEWHERE))
    def the_agencies_send_their_files(self, pensions: Any, elsewhere: Any) -> None:
        enrolments: list[Enrolled] = []
        contributions: list[Enrolled] = []
        for index, (pension, paid) in enumerate(zip(pensions, elsewhere, strict=True)):
            enrolments.append((index, "MEDICAL", "2020-01", None))
            person = Person({"MEDICAL": ("2020-01", None)}, {})
            if pension:
                enrolments.append((index, "PENSION", *pension))
                person.enrolments["PENSION"] = pension
            if paid:
                contributions.append((index, "PENSION", *paid))
                person.paid_elsewhere["PENSION"] = set(run(*paid))
            self.people.append(person)
        self.gateways.begin(enrolments, contributions)
        for institution, counter in COUNTERS.items():
            for index, named in enumerate(PEOPLE):
                found = self.gateways.client(counter, DAYS[0]).run(PAYER, **named.variables)
                self.payer_ids[institution, index] = found["payer"]["id"]

    @rule(
        teller=TELLERS,
        today=TODAY,
        somebody=SOMEBODY,
        drawn=RUNS,
        odd=PICK,
        tier=st.sampled_from(("60", "2019-FLOOR", "300", "61")),
    )
    def ask_for_a_quote(self, teller: str, today: str, somebody: int, drawn: Run, odd: int, tier: str) -> None:
        institution, person = INSTITUTIONS[teller], self.people[somebody]
        months = self.months(person, "PENSION", drawn, f"{today[:4]}-01", f"{today[:4]}-12")
        sent = {
            "firstMonth": months[0],
            "lastMonth": months[-1],
            "tier": tier,
            **self.asked(institution, somebody, odd),
        }
        answer = self.gateways.client(teller, today).run(REQUEST_QUOTE, input=sent)["requestQuote"]
        if odd == 15:
            self.check(answer, Answer("PayerNotFound"))
            return
        expected = self.model.request_quote(institution, person, sent["insurance"], months, tier, today)
        made = self.check(answer, expected).made
        if made is not None:
            self.remember(institution, made, answer["id"])
        self.look_after(person, today)

    @rule(teller=TELLERS, today=TODAY, somebody=SOMEBODY, drawn=RUNS, odd=PICK)
    def ask_for_an_assessment(self, teller: str, today: str, somebody: int, drawn: Run, odd: int) -> None:
        institution, person = INSTITUTIONS[teller], self.people[somebody]
        months = self.months(person, "PENSION", drawn, "", f"{int(today[:4]) - 1}-12")
        sent = {"firstMonth": months[0], "lastMonth": months[-1], **self.asked(institution, somebody, odd)}
        answer = self.gateways.client(teller, today).run(REQUEST_ASSESSMENT, input=sent)["requestAssessment"]
        if odd == 15:
            self.check(answer, Answer("PayerNotFound"))
            return
        number = answer.get("billNumber", "")
        bill = self.check(answer, self.model.request_assessment(person, sent["insurance"], months, number, today)).made
        if bill is not None:
            self.compare("billNumber", number, bill.number)
            self.remember(institution, bill, answer["id"])
        self.look_after(person, today)

    def asked(self, institution: str, somebody: int, odd: int) -> Facts:
        """Return who is asked for: now and then by another institution's id, or for medical, which has no periods."""
        other = {"ABC": "TAX", "TAX": "ABC"}[institution] if odd == 15 else institution
        return {"payerId": self.payer_ids[other, somebody], "insurance": "MEDICAL" if odd == 14 else "PENSION"}

    @precondition(lambda self: self.model.payables)
    @rule(teller=TELLERS, today=TODAY, pick=PICK, reference=REFERENCES, wrong_by=WRONG_BY, collected_at=COLLECTED_AT)
    def pay(self, teller: str, today: str, pick: int, reference: str, wrong_by: str, collected_at: str) -> None:
        payable = self.model.payables[-1 - pick % len(self.model.payables)]
        if payable.is_quote and pick < 12:
            teller = COUNTERS[payable.institution]
        institution = INSTITUTIONS[teller]
        used = [
            p.reference for p in self.model.payments.values() if (p.institution == institution) == (reference == "used")
        ]
        number = used[-1 - pick % len(used)] if used and reference != "new" else f"R-{len(self.model.payments)}"
        self.submit(teller, today, payable, payable.amount + Decimal(wrong_by), number, collected_at)

    @precondition(lambda self: self.rivals())
    @rule(teller=TELLERS, today=TODAY, pick=PICK)
    def pay_for_months_that_are_paid(self, teller: str, today: str, pick: int) -> None:
        rivals = self.rivals()
        payable = rivals[-1 - pick % len(rivals)]
        teller = COUNTERS[payable.institution] if payable.is_quote else teller
        self.submit(
            teller, today, payable, payable.amount, f"R-{len(self.model.payments)}", "2020-11-16T10:00:00+08:00"
        )

    def rivals(self) -> list[Payable]:
        """Return what is for months, some of which another payable has settled."""
        return [
            payable
            for payable in self.model.payables
            if not self.model.standing(payable)
            and self.model.paid(payable.person, payable.insurance) & set(payable.months)
        ]

    @precondition(lambda self: self.model.payments)
    @rule(
        teller=TELLERS,
        today=TODAY,
        pick=PICK,
        wrong_by=WRONG_BY,
        collected_at=st.sampled_from((None, None)) | COLLECTED_AT,
    )
    def pay_again(self, teller: str, today: str, pick: int, wrong_by: str, collected_at: str | None) -> None:
        payments = list(self.model.payments.values())
        known = payments[-1 - pick % len(payments)]
        amount = known.amount + Decimal(wrong_by)
        self.submit(teller, today, known.payable, amount, known.reference, collected_at or known.collected_at)

    def submit(
        self, teller: str, today: str, payable: Payable, amount: Decimal, reference: str, collected_at: str
    ) -> None:
        institution = INSTITUTIONS[teller]
        if not payable.is_quote and (institution, payable) not in self.ids:
            # The bank has to find the bill first.
            self.look(payable.person, today, institution)
        # Without an id of its own, it tries another institution's.
        own = self.ids.get((institution, payable))
        sent = {
            "payableId": own or self.ids[payable.institution, payable],
            "amount": yuan(amount) if amount > 0 else "0.01",
            "bankReference": reference,
            "collectedAt": collected_at,
        }
        answer = self.gateways.client(teller, today).run(SUBMIT_PAYMENT, input=sent)["submitPayment"]
        expected = self.model.submit_payment(
            institution,
            CHANNELS[teller],
            reference,
            payable if own else None,
            Decimal(sent["amount"]),
            collected_at,
            today,
        )
        payment = self.check(answer, *expected).made
        if payment is not None:
            self.keep(payment, answer["payment"])
        self.look_after(payable.person, today)
        self.look_at_day_after(institution, today, payable)

    @precondition(lambda self: self.model.payments)
    @rule(institution=st.sampled_from(tuple(COUNTERS)), today=TODAY, pick=PICK)
    def reverse(self, institution: str, today: str, pick: int) -> None:
        payments = list(self.model.payments.values())
        payment = payments[-1 - pick % len(payments)]
        if pick < 12:
            institution = payment.institution
        sent = {"bankReference": payment.reference, "reason": REASON}
        answer = self.gateways.client(COUNTERS[institution], today).run(REVERSE_PAYMENT, input=sent)["reversePayment"]
        reversed_payment = self.check(answer, self.model.reverse_payment(institution, payment.reference, today)).made
        if reversed_payment is not None:
            self.keep(reversed_payment, answer["payment"])
        self.look_after(payment.payable.person, today)
        self.look_at_day_after(payment.institution, payment.day, payment.payable)

    @precondition(lambda self: any(not quote.expired for quote in self.model.quotes))
    @rule(pick=PICK, today=TODAY)
    def a_quote_expires(self, pick: int, today: str) -> None:
        quotes = self.model.quotes
        open_ones = [index for index, quote in enumerate(quotes) if not quote.expired]
        index = open_ones[-1 - pick % len(open_ones)]
        self.gateways.expire_quote(index)
        quotes[index].expired = True
        self.look_at_day(quotes[index].institution, today, quotes[index])

    @rule(
        institution=st.sampled_from(tuple(COUNTERS)),
        today=TODAY,
        day=st.sampled_from(DAYS),
        left_out=st.sets(st.integers(0, 9), max_size=2),
        changed=st.dictionaries(st.integers(0, 9), st.sampled_from(("amount", "reversed", "both")), max_size=2),
        ghost=st.booleans(),
    )
    def reconcile(
        self, institution: str, today: str, day: str, left_out: set[int], changed: dict[int, str], ghost: bool
    ) -> None:
        entries: dict[str, tuple[Decimal, bool]] = {}
        for index, payment in enumerate(self.model.payments_of(institution, day)):
            change = changed.get(index, "")
            amount = payment.amount + (change in ("amount", "both"))
            if index not in left_out:
                entries[payment.reference] = (amount, payment.reversed != (change in ("reversed", "both")))
        if ghost:
            # Some reference of the past: of another day, of another institution, or left out above.
            payments = list(self.model.payments.values())
            entries.setdefault(payments[0].reference if payments else "GHOST", (Decimal("1.00"), False))
        sent = [{"bankReference": r, "amount": yuan(amount), "reversed": gone} for r, (amount, gone) in entries.items()]
        answer = self.gateways.client(COUNTERS[institution], today).run(RECONCILE, input={"date": day, "entries": sent})
        settled = answer["reconcileDay"]
        if "differences" in settled:
            settled = self.day(settled)
        self.check(settled, self.model.reconcile_day(institution, day, entries, today))
