"""The rules of the contract in plain Python, as small as they can be said: what the gateway is compared with.

Written from the contract's page and its schema, not from the gateway's code, and importing none of it. An answer is the
name of its type and the facts that must be in it, in the contract's own names.
"""

from datetime import datetime
from decimal import Decimal

from tests.model.ledger import (
    AREAS,
    Answer,
    Facts,
    Payable,
    Payment,
    Person,
    differences,
    payable_facts,
    price,
    tier_facts,
    total,
    yuan,
)
from tests.model.refunds import Refunds


class Model(Refunds):
    """The world as it should be."""

    def __init__(self, schedules: dict[int, Facts]) -> None:
        super().__init__(schedules)
        self.payables: list[Payable] = []
        self.batches: dict[tuple[str, str], tuple[list[Facts], list[Payable]]] = {}
        self.lists: dict[tuple[str, str], dict[str, tuple[Decimal, bool]]] = {}

    @property
    def quotes(self) -> list[Payable]:
        return [payable for payable in self.payables if payable.is_quote]

    @property
    def bills(self) -> list[Payable]:
        return [payable for payable in self.payables if not payable.is_quote]

    # Quotes and bills.

    def request_quote(
        self, institution: str, person: Person, insurance: str, months: list[str], tier_code: str, today: str
    ) -> Answer:
        if (refused := self.not_payable(person, insurance, months, "CURRENT_YEAR", today)) is not None:
            return refused
        tiers = self.schedules[int(today[:4])]["tiers"]
        tier = next((tier_facts(t) for t in tiers if t["code"] == tier_code), None)
        if tier is None:
            offered = [{"code": t["code"], "monthlyAmount": t["monthly_amount"]} for t in tiers]
            return Answer("TierNotOffered", {"offered": offered})
        lines = [self.line(month, tier_code) for month in months]
        quote = Payable(person, insurance, months, price(lines), lines, institution=institution, tier=tier)
        self.payables.append(quote)
        return Answer("Quote", self.quote_facts(quote), quote)

    def request_assessment(self, person: Person, insurance: str, months: list[str], number: str, today: str) -> Answer:
        """Assess arrears. `number` is what a new bill is called: the gateway gives it."""
        if (refused := self.not_payable(person, insurance, months, "ARREARS", today)) is not None:
            return refused
        standing = [
            bill
            for bill in self.bills
            if bill.origin == "PAYER_ARREARS" and bill.person is person and not bill.withdrawn
            if not self.standing(bill) and set(bill.months) & set(months)
        ]
        same = next((bill for bill in standing if bill.months == months), None)
        if same is None:
            for bill in standing:
                bill.withdrawn = True
            lines = [self.line(month) for month in months]
            same = Payable(person, insurance, months, price(lines), lines, number=number, origin="PAYER_ARREARS")
            self.payables.append(same)
        return Answer("AssessedBill", self.bill_facts(same, today), same)

    def assess_bills(self, insurance: str, batch: str, bills: list[Facts], today: str) -> Answer:
        """Take over an agency's batch. A bill is its facts, `person` (None: no such person) and `months` among them."""
        if (insurance, batch) in self.batches:
            content, made = self.batches[insurance, batch]
            if content != bills:
                return Answer("BillsRejected", {"rejections": []})
            return Answer("BillsAssessed", {"replayed": True, "bills": [self.bill_facts(b, today) for b in made]}, [])
        numbers = [bill["number"] for bill in bills]
        rejected = {i for i, bill in enumerate(bills) if self._rejected(insurance, bill)}
        # Of bills that are right by themselves no two share a number.
        free = [number for i, number in enumerate(numbers) if i not in rejected]
        rejected |= {i for i, number in enumerate(numbers) if i not in rejected and free.count(number) > 1}
        if rejected:
            rejections = [{"index": i, "billNumber": numbers[i]} for i in sorted(rejected)]
            return Answer("BillsRejected", {"rejections": rejections})
        origin = {"PENSION": "AGENCY_COUNTER", "MEDICAL": "MEDICAL_BATCH"}[insurance]
        made = [
            Payable(
                bill["person"], insurance, bill["months"], bill["amount"], [],
                number=bill["number"], origin=origin, pay_by=bill["pay_by"],
            )
            for bill in bills
        ]  # fmt: skip
        self.payables += made
        self.batches[insurance, batch] = bills, made
        return Answer("BillsAssessed", {"replayed": False, "bills": [self.bill_facts(b, today) for b in made]}, made)

    def _rejected(self, insurance: str, bill: Facts) -> bool:
        person, months = bill["person"], bill["months"]
        if person is None or bill["insurance"] != insurance or insurance not in person.enrolments:
            return True
        used = any(b.number == bill["number"] and b.insurance == insurance for b in self.bills)
        first, last = person.enrolments[insurance]
        enrolled = first <= months[0] and (last is None or months[-1] <= last)
        paid = self.paid(person, insurance) & set(months)
        return used or not enrolled or bool(paid)

    def withdraw_bill(self, insurance: str, number: str, today: str) -> Answer:
        bill = next((b for b in self.bills if (b.insurance, b.number) == (insurance, number)), None)
        if bill is None:
            return Answer("PayableNotFound")
        if (status := self.bill_status(bill, today)) != "PAYABLE":
            return Answer("BillNotPayable", {"notPayable": status})
        bill.withdrawn = True
        return Answer("AssessedBill", self.bill_facts(bill, today), bill)

    # Money.

    def submit_payment(
        self,
        institution: str,
        channel: str,
        reference: str,
        payable: Payable | None,
        amount: Decimal,
        collected_at: str,
        today: str,
    ) -> list[Answer]:
        """Return the answers that are right. `payable` is None for an id that the institution was never given.

        Where several refusals hold at once the contract names no first among them.
        """
        known = self.payments.get((institution, reference))
        if known is not None:
            same = (known.payable, known.amount) == (payable, amount)
            if same and datetime.fromisoformat(known.collected_at) == datetime.fromisoformat(collected_at):
                facts = {"replayed": True, "payment": self.payment_facts(known)}
                return [Answer("PaymentAccepted", facts, known)]
            return [Answer("BankReferenceReused")]
        if payable is None:
            return [Answer("PayableNotFound")]
        refusals = []
        if paid := sorted(self.paid(payable.person, payable.insurance) & set(payable.months)):
            refusals.append(Answer("MonthsAlreadyPaid", {"months": paid, "nextAction": "RETURN_MONEY"}))
        if payable.expired:
            refusals.append(Answer("QuoteExpired", {"nextAction": "REQUOTE"}))
        if not payable.is_quote and (status := self.bill_status(payable, today)) != "PAYABLE":
            refusals.append(Answer("BillNotPayable", {"status": status}))
        if amount != payable.amount:
            refusals.append(Answer("AmountMismatch", {"expected": yuan(payable.amount)}))
        if refusals:
            return refusals
        payment = Payment(institution, channel, reference, payable, amount, collected_at, today)
        self.payments[institution, reference] = payment
        return [Answer("PaymentAccepted", {"replayed": False, "payment": self.payment_facts(payment)}, payment)]

    def reverse_payment(self, institution: str, reference: str, today: str) -> Answer:
        payment = self.payments.get((institution, reference))
        if payment is None:
            return Answer("PaymentNotFound")
        if payment.status == "REFUNDED":
            return Answer("PaymentNotReversible", {"status": "REFUNDED", "nextAction": "CORRECT_REQUEST"})
        again = payment.reversed
        if not again and payment.day != today:
            return Answer("PaymentNotReversible", {"status": "ACCEPTED", "nextAction": "REQUEST_REFUND"})
        payment.reversed = True
        for refund in payment.refunds:
            # Asked for by a clock that was ahead: the money goes back once.
            refund.status = "REJECTED"
        return Answer("PaymentReversed", {"replayed": again, "payment": self.payment_facts(payment)}, payment)

    def standing(self, payable: Payable) -> Payment | None:
        """Return the payment that settles a payable."""
        return next((p for p in self.payments.values() if p.payable is payable and p.standing), None)

    # The bank's day.

    def payments_of(self, institution: str, day: str) -> list[Payment]:
        return [p for p in self.payments.values() if (p.institution, p.day) == (institution, day)]

    def reconcile_day(self, institution: str, day: str, entries: dict[str, tuple[Decimal, bool]], today: str) -> Answer:
        if day > today:
            return Answer("DayNotReconcilable")
        self.lists[institution, day] = entries
        return Answer("SettlementDay", self.settlement_facts(institution, day))

    def settlement_facts(self, institution: str, day: str) -> Facts:
        payments = self.payments_of(institution, day)
        listed = self.lists.get((institution, day))
        found = [] if listed is None else list(differences({p.reference: p for p in payments}, listed))
        return {
            "date": day,
            "status": "OPEN" if listed is None else "DIFFERENT" if found else "RECONCILED",
            "accepted": total(payments),
            "reversed": total([p for p in payments if p.reversed]),
            "net": total([p for p in payments if not p.reversed]),
            "differences": sorted(found, key=lambda d: (d["bankReference"], d["kind"])),
        }

    # What is seen of them.

    def quote_facts(self, quote: Payable) -> Facts:
        status = "PAID" if self.standing(quote) else "EXPIRED" if quote.expired else "OPEN"
        return {**payable_facts(quote), "lines": quote.lines, "tier": quote.tier, "status": status}

    def bill_status(self, bill: Payable, today: str) -> str:
        if bill.withdrawn:
            return "WITHDRAWN"
        if self.standing(bill):
            return "PAID"
        return "EXPIRED" if bill.pay_by is not None and bill.pay_by < today else "PAYABLE"

    def bill_facts(self, bill: Payable, today: str) -> Facts:
        return {
            **payable_facts(bill),
            "origin": bill.origin,
            "poolingArea": {"code": AREAS[bill.insurance]},
            "lines": bill.lines,
            "payBy": bill.pay_by,
            "status": self.bill_status(bill, today),
        }

    def payment_facts(self, payment: Payment) -> Facts:
        payable = payable_facts(payment.payable)
        return {
            "bankReference": payment.reference,
            "amount": yuan(payment.amount),
            "status": payment.status,
            "channel": payment.channel,
            "businessDate": payment.day,
            "payable": payable,
            "receipt": {
                "status": "VALID" if payment.standing else "VOID",
                **{name: payable[name] for name in ("insurance", "firstMonth", "lastMonth", "amount")},
                "poolingArea": {"code": AREAS[payment.payable.insurance]},
                "institution": {"code": payment.institution},
                "bankReference": payment.reference,
            },
        }
