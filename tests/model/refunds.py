"""The rules of refunds: what can be asked for, who decides, and once."""

from tests.model.ledger import AREAS, Answer, Facts, Refund, span, yuan
from tests.model.owed import Owed


class Refunds(Owed):
    """What banks ask for and agencies decide."""

    def __init__(self, schedules: dict[int, Facts]) -> None:
        super().__init__(schedules)
        self.refunds: list[Refund] = []

    def refunds_of(self, insurance: str) -> list[Refund]:
        """Return what the agency of an insurance sees, the oldest first."""
        return [refund for refund in self.refunds if refund.payment.payable.insurance == insurance]

    def request_refund(self, institution: str, reference: str, today: str) -> Answer:
        payment = self.payments.get((institution, reference))
        if payment is None:
            return Answer("PaymentNotFound")
        if payment.refunds and payment.refunds[-1].status != "REJECTED":
            refund = payment.refunds[-1]
            return Answer("RefundRequested", {"replayed": True, **self._asked(refund)}, refund)
        if not payment.standing:
            return Answer("PaymentNotRefundable", {"code": "PAYMENT_NOT_REFUNDABLE", "status": payment.status})
        if payment.day >= today:
            return Answer("PaymentNotRefundable", {"code": "PAYMENT_STILL_REVERSIBLE", "status": payment.status})
        refund = Refund(payment)
        payment.refunds.append(refund)
        self.refunds.append(refund)
        return Answer("RefundRequested", {"replayed": False, **self._asked(refund)}, refund)

    def decide_refund(self, insurance: str, refund: Refund, approve: bool) -> Answer:
        if refund.payment.payable.insurance != insurance:
            return Answer("RefundNotFound")
        wanted = "REFUNDED" if approve else "REJECTED"
        if refund.status not in ("REQUESTED", wanted):
            return Answer("RefundNotDecidable", {"status": refund.status})
        again = refund.status == wanted
        refund.status = wanted
        return Answer("RefundDecided", {"replayed": again, "refund": self.refund_facts(refund)}, refund)

    def _asked(self, refund: Refund) -> Facts:
        payment = refund.payment
        told = {"status": payment.status, "receipt": {"status": "VALID" if payment.standing else "VOID"}}
        return {"refund": self.refund_facts(refund), "payment": {**told, "refund": {"status": refund.status}}}

    def refund_facts(self, refund: Refund) -> Facts:
        payment, payable = refund.payment, refund.payment.payable
        months = span(payable.months)
        return {
            "status": refund.status,
            "institution": {"code": payment.institution},
            "bankReference": payment.reference,
            "insurance": payable.insurance,
            "poolingArea": {"code": AREAS[payable.insurance]},
            "firstMonth": months["firstMonth"],
            "lastMonth": months["lastMonth"],
            "amount": yuan(payment.amount),
            "businessDate": payment.day,
        }
