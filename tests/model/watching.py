"""Comparing: one answer with what the model says, and what an institution sees of a person and of its day."""

from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from tests.acceptance.operations import BILL, PERIOD
from tests.acceptance.people import Person as Named
from tests.acceptance.people import resident_id
from tests.model.drawing import COUNTERS, Run
from tests.model.gateways import DAYS, PEOPLE, Gateways, KeptAlive
from tests.model.ledger import Answer, Facts, Payable, Payment, Person, run, yuan
from tests.model.model import Model

STRANGER = Named(resident_id("36999919490101001"), "无此人")

DAY = """
  date status accepted { count amount } reversed { count amount } net { count amount }
  differences(first: 100) { edges { node { kind bankReference gatewayAmount bankAmount } } }
"""
RECONCILE = f"""mutation ($input: ReconcileDayInput!) {{ reconcileDay(input: $input) {{
  __typename ... on SettlementDay {{ {DAY} }} ... on Problem {{ code message nextAction }}
}} }}"""
PERSON = f"""query ($residentId: ResidentId!, $name: String!) {{ payer(residentId: $residentId, name: $name) {{
  payablePeriods {{ {PERIOD} }}
  assessedBills(status: null, first: 100) {{ edges {{ node {{ {BILL} payment {{ bankReference }} }} }} }}
}} }}"""
BANK_DAY = f"""query ($day: Date!, $ids: [ID!]!) {{
  settlementDay(date: $day) {{ {DAY} }}
  payments(on: $day, first: 100) {{ edges {{ node {{
    id bankReference amount status acceptedAt collectedAt payable {{ id }}
    receipt {{ id number status issuedAt verificationCode maskedName maskedResidentId }}
  }} }} }}
  nodes(ids: $ids) {{ ... on Quote {{ status payment {{ bankReference }} }} }}
}}"""


def differences(answer: Any, facts: Any, at: str = "") -> list[str]:
    """Return where an answer is not what the facts say. What the facts do not mention may be anything."""
    if isinstance(facts, dict) and isinstance(answer, dict):
        return [d for name in facts for d in differences(answer.get(name), facts[name], f"{at}.{name}")]
    if isinstance(facts, list) and isinstance(answer, list) and len(facts) == len(answer):
        return [d for i, fact in enumerate(facts) for d in differences(answer[i], fact, f"{at}[{i}]")]
    # The tax ledger may have acknowledged an accepted payment at any time: it stands all the same.
    if at.endswith(".status") and (answer, facts) == ("POSTED", "ACCEPTED"):
        return []
    return [] if answer == facts else [f"{at}: the gateway says {answer!r}, the model {facts!r}"]


def nodes(connection: Facts) -> list[Facts]:
    return [edge["node"] for edge in connection["edges"]]


class Watch(RuleBasedStateMachine):
    """The gateway and the model side by side."""

    def __init__(self, gateways: Gateways, schedules: dict[int, Facts]) -> None:
        super().__init__()
        self.gateways = gateways
        self.model = Model(schedules)
        self.people: list[Person] = []
        self.payer_ids: dict[tuple[str, int], str] = {}
        #: What the gateway calls a payable towards an institution, and what it answered when it took a payment.
        self.ids: dict[tuple[str, Payable], str] = {}
        self.accepted: dict[Payment, Facts] = {}
        self.steps = 0
        self.refused = False
        self.different_already = False
        gateways.examples += 1

    def check(self, answer: Facts, *expected: Answer) -> Answer:
        """Return which of the right answers this is; fail when it is none."""
        found = {e.kind: differences(answer, e.facts) for e in expected}
        for right in expected:
            if right.kind == answer["__typename"] and not found[right.kind]:
                self.gateways.met[right.kind, right.facts.get("replayed", right.facts.get("code"))] += 1
                self.refused = right.made is None
                return right
        self.different(f"{answer['__typename']} where the model says {found}: {answer}")
        raise AssertionError("unreachable")

    def compare(self, what: str, answer: Any, facts: Any) -> None:
        if found := differences(answer, facts, what):
            self.different("; ".join(found))

    def different(self, message: str) -> None:
        self.different_already = True
        if self.gateways.first_different is None:
            self.gateways.first_different = self.gateways.examples
        raise AssertionError(message)

    def look_after(self, person: Person, today: str) -> None:
        """Look at a person after a step. That a refusal changes nothing is seen often enough every third time."""
        self.steps += 1
        if not self.refused or self.steps % 3 == 0:
            self.look(person, today)

    def look_at_day_after(self, institution: str, today: str, payable: Payable) -> None:
        if not self.refused or self.steps % 3 == 0:
            self.look_at_day(institution, today, payable)

    def look(self, person: Person, today: str, institution: str | None = None) -> None:
        """Compare what an institution (each in its turn, when none is named) sees of a person."""
        institution = institution or ("ABC", "TAX")[self.steps % 2]
        seen = self.counter(institution, today).run(PERSON, **self.named(person).variables)["payer"]
        self.compare("periods", seen["payablePeriods"], self.model.periods(person, today))
        bills = [bill for bill in self.model.bills if bill.person is person]
        told = nodes(seen["assessedBills"])
        facts = [
            {"billNumber": bill.number, **self.model.bill_facts(bill, today), "payment": self.own(bill, institution)}
            for bill in bills
        ]
        self.compare("bills", told, facts)
        for bill, answer in zip(bills, told, strict=True):
            self.remember(institution, bill, answer["id"])

    def look_at_day(self, institution: str, today: str, payable: Payable | None = None) -> None:
        """Compare what an institution sees of its day, and of one quote."""
        quote = payable if payable is not None and payable.is_quote else None
        ids = [] if quote is None else [self.ids[quote.institution, quote]]
        seen = self.counter(institution, today).run(BANK_DAY, day=today, ids=ids)
        self.compare("day", self.day(seen["settlementDay"]), self.model.settlement_facts(institution, today))
        payments = [self.payment_seen(payment) for payment in self.model.payments_of(institution, today)]
        self.compare("payments", nodes(seen["payments"]), payments)
        if quote is not None:
            status = {"status": self.model.quote_facts(quote)["status"], "payment": self.own(quote, institution)}
            self.compare("quote", seen["nodes"], [status if quote.institution == institution else None])

    def counter(self, institution: str, today: str) -> KeptAlive:
        return self.gateways.client(COUNTERS[institution], today)

    def payment_seen(self, payment: Payment) -> Facts:
        kept = self.accepted[payment]
        return {
            **kept,
            "amount": yuan(payment.amount),
            "status": payment.status,
            "receipt": {**kept["receipt"], "status": "VALID" if payment.standing else "VOID"},
            "payable": {"id": self.ids[payment.institution, payment.payable]},
        }

    def own(self, payable: Payable, institution: str) -> Facts | None:
        """Return the standing payment of a payable as an institution sees it: its own only."""
        payment = self.model.standing(payable)
        return {"bankReference": payment.reference} if payment and payment.institution == institution else None

    def day(self, answer: Facts) -> Facts:
        return {**answer, "differences": nodes(answer["differences"])}

    def remember(self, institution: str, payable: Payable, identity: str) -> None:
        """Keep what an institution calls a payable: the same for ever, and another for each institution."""
        if self.ids.setdefault((institution, payable), identity) != identity:
            self.different("a payable has changed its id")

    def named(self, person: Person | None) -> Named:
        return STRANGER if person is None else PEOPLE[self.people.index(person)]

    def keep(self, payment: Payment, answer: Facts) -> None:
        """Keep what makes a payment and its receipt this one: every later answer has the same."""
        person = self.named(payment.payable.person)
        masks = {
            "maskedName": "*" * (len(person.name) - 1) + person.name[-1],
            "maskedResidentId": f"{person.resident_id[:3]}***********{person.resident_id[-4:]}",
        }
        lasting = {name: answer["receipt"][name] for name in ("id", "number", "issuedAt", "verificationCode")}
        facts = {name: answer[name] for name in ("id", "bankReference", "acceptedAt", "collectedAt")}
        known = self.accepted.setdefault(payment, {**facts, "receipt": {**lasting, **masks}})
        self.compare("payment", answer, known)

    def months(
        self, person: Person, insurance: str, drawn: Run, earliest: str = "", latest: str = "2021-12"
    ) -> list[str]:
        """Return the months that are meant: a run among those that the person owes, or one that begins anywhere."""
        anywhere, start, length = drawn
        first, last = person.enrolments.get(insurance, ("2020-01", None))
        paid = self.model.paid(person, insurance)
        owed = [month for month in run(first, min(last or latest, latest)) if month >= earliest and month not in paid]
        if anywhere is not None or not owed:
            return run(anywhere or "2020-01", "2022-12")[:length]
        months = run(owed[start % len(owed)], owed[-1])[:length]
        return [month for month in months if not any(month >= gone >= months[0] for gone in paid)]

    def teardown(self) -> None:
        """Look at everything once more, unless a difference has ended the example."""
        if not self.different_already:
            for institution in COUNTERS:
                for person in self.people:
                    self.look(person, DAYS[self.steps % len(DAYS)], institution)
                for day in DAYS:
                    self.look_at_day(institution, day)
