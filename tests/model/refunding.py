"""Refunds step by step: a bank asks, an agency looks at what waits and decides."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.acceptance.operations import DECIDE_REFUND, REFUNDS, REQUEST_REFUND
from tests.model.drawing import COUNTERS, PICK, REASON, REFUNDERS, TODAY
from tests.model.gateways import DAYS
from tests.model.ledger import Facts
from tests.model.watching import Watch, nodes

# A request on the payment's own day is refused: most are made later.
LATER = st.sampled_from((*DAYS[1:], *DAYS[1:], DAYS[0]))


class Refunding(Watch):
    """The steps of a refund."""

    @precondition(lambda self: self.model.payments)
    @rule(pick=PICK, today=LATER)
    def ask_for_a_refund(self, pick: int, today: str) -> None:
        self.ask(pick, today)

    def ask(self, pick: int, today: str) -> None:
        payments = list(self.model.payments.values())
        payment = payments[-1 - pick % len(payments)]
        # Now and then the other institution asks, which may have a payment of its own under that reference.
        institution = {"ABC": "TAX", "TAX": "ABC"}[payment.institution] if pick == 15 else payment.institution
        sent = {"bankReference": payment.reference, "reason": REASON}
        answer = self.gateways.client(COUNTERS[institution], today).run(REQUEST_REFUND, input=sent)["requestRefund"]
        self.check(answer, self.model.request_refund(institution, payment.reference, today))
        self.look_after(payment.payable.person, today)
        self.look_at_day_after(payment.institution, payment.day, payment.payable)

    @precondition(lambda self: self.model.payments)
    @rule(
        pick=PICK,
        today=TODAY,
        approve=st.sampled_from((True, True, False)),
        stranger=st.sampled_from((False, False, False, True)),
    )
    def an_agency_decides(self, pick: int, today: str, approve: bool, stranger: bool) -> None:
        if not any(refund.status == "REQUESTED" for refund in self.model.refunds):
            # Walks that ask and decide by chance alone come to few decisions.
            self.ask(pick, DAYS[-1])
        if not self.model.refunds:
            return
        seen = {agency: self.seen(agency, today) for agency in REFUNDERS}
        refund = self.model.refunds[-1 - pick % len(self.model.refunds)]
        own = next(name for name, insurance in REFUNDERS.items() if insurance == refund.payment.payable.insurance)
        agency = next(name for name in REFUNDERS if (name != own) == stranger)
        identity = seen[own][self.model.refunds_of(REFUNDERS[own]).index(refund)]["id"]
        sent = {"refundId": identity, "approve": approve, "reason": REASON}
        answer = self.gateways.client(agency, today).run(DECIDE_REFUND, input=sent)["decideRefund"]
        self.check(answer, self.model.decide_refund(REFUNDERS[agency], refund, approve))
        self.look_after(refund.payment.payable.person, today)
        self.look_at_day_after(refund.payment.institution, refund.payment.day, refund.payment.payable)

    def seen(self, agency: str, today: str) -> list[Facts]:
        """Compare all that an agency sees, and return it."""
        told = nodes(self.gateways.client(agency, today).run(REFUNDS, first=100)["refunds"])
        facts = [self.model.refund_facts(refund) for refund in self.model.refunds_of(REFUNDERS[agency])]
        self.compare("refunds", told, facts)
        return told
