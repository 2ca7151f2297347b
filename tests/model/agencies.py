"""What the agencies may do: assess bills by the batch, send a batch again, and withdraw a bill."""

from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.acceptance.operations import ASSESS_BILLS, WITHDRAW_BILL
from tests.model.drawing import AGENCIES, BILLS, PICK, REASON, TODAY
from tests.model.ledger import AREAS, Facts, yuan
from tests.model.watching import Watch


class Agencies(Watch):
    """The steps of the social insurance agency and of the medical insurance agency."""

    @rule(agency=st.sampled_from(tuple(AGENCIES)), today=TODAY, bills=BILLS)
    def an_agency_assesses(self, agency: str, today: str, bills: list[Facts]) -> None:
        content: list[Facts] = []
        for drawn in bills:
            count = len(self.model.bills) + len(content)
            insurance = AGENCIES[agency] if drawn["own"] else "MEDICAL"
            person = None if drawn["somebody"] is None else self.people[drawn["somebody"]]
            content.append(
                {
                    "number": f"B-{count}" if drawn["number"] == "new" or not count else f"B-{count - 1}",
                    "insurance": insurance,
                    "person": person,
                    "months": self.months(person or self.people[0], insurance, drawn["run"]),
                    "amount": drawn["amount"],
                    "pay_by": drawn["pay_by"],
                }
            )
        self.send_batch(agency, f"BATCH-{len(self.model.batches)}", content, today)

    @precondition(lambda self: self.model.batches)
    @rule(pick=PICK, today=TODAY, more=st.sampled_from(("0", "0", "0.01")))
    def an_agency_repeats_a_batch(self, pick: int, today: str, more: str) -> None:
        batches = list(self.model.batches.items())
        (insurance, batch), (content, _) = batches[-1 - pick % len(batches)]
        agency = next(name for name, own in AGENCIES.items() if own == insurance)
        self.send_batch(agency, batch, [bill | {"amount": bill["amount"] + Decimal(more)} for bill in content], today)

    def send_batch(self, agency: str, batch: str, content: list[Facts], today: str) -> None:
        sent = [
            {
                "billNumber": bill["number"],
                **self.named(bill["person"]).variables,
                "insurance": bill["insurance"],
                "poolingArea": AREAS[bill["insurance"]],
                "firstMonth": bill["months"][0],
                "lastMonth": bill["months"][-1],
                "amount": yuan(bill["amount"]),
                "payBy": bill["pay_by"],
            }
            for bill in content
        ]
        answer = self.gateways.client(agency, today).run(ASSESS_BILLS, input={"batch": batch, "bills": sent})
        self.check(answer["assessBills"], self.model.assess_bills(AGENCIES[agency], batch, content, today))
        for person in {bill["person"]: None for bill in content if bill["person"] is not None}:
            self.look_after(person, today)

    @precondition(lambda self: self.model.bills)
    @rule(agency=st.sampled_from(tuple(AGENCIES)), pick=PICK, today=TODAY)
    def an_agency_withdraws(self, agency: str, pick: int, today: str) -> None:
        bill = self.model.bills[-1 - pick % len(self.model.bills)]
        sent = {"billNumber": bill.number, "reason": REASON}
        answer = self.gateways.client(agency, today).run(WITHDRAW_BILL, input=sent)["withdrawBill"]
        self.check(answer, self.model.withdraw_bill(AGENCIES[agency], bill.number, today))
        self.look_after(bill.person, today)
