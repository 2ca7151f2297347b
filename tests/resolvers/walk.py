"""Every operation of the documentation, and the rest of the contract's, one after the other at one desk."""

import datetime
from collections.abc import AsyncIterator
from typing import Any

from auth import scopes
from auth.tokens import Caller
from gateway.demo.client import document
from tests.desk import LIU, TODAY, CountingDesk

ZHAO = {"residentId": "369999198811240073", "name": "赵强"}

#: The operations that no page shows.
OTHERS = {
    "receipt": "query ($number: String!) { receipt(number: $number) { number amount amountInWords } }",
    "settlement_day": """query ($on: Date!) {
        settlementDay(date: $on) {
          status accepted { count } net { amount } differences(first: 100) { edges { node { bankReference } } }
        }
      }""",
    "node": "query ($id: ID!) { node(id: $id) { id ... on Payer { assessedBills { edges { node { status } } } } } }",
    "nodes": "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }",
    "events": """query ($after: String) {
        events(first: 100, after: $after) {
          edges {
            node {
              sequence kind
              ... on PaymentEvent { payment { receipt { number } payable { id } } }
              ... on BillEvent { bill { billNumber payment { bankReference } } }
            }
          }
        }
      }""",
    "register_callback": "mutation ($input: RegisterCallbackInput!) { registerCallback(input: $input) { __typename } }",
    "callback": "{ callback { url registeredAt } }",
    "remove_callback": "mutation { removeCallback { removed } }",
}


def text_of(name: str) -> str:
    """Return the operation of this name."""
    return OTHERS[name] if name in OTHERS else document(name)


class Walk:
    """A day at a bank's counter, a refund on the next one, and an agency's bills, each operation by its name."""

    def __init__(self, desk: CountingDesk, *, bills: int = 1) -> None:
        self._desk = desk
        self._bills = bills
        self._bank = desk.caller

    async def steps(self) -> AsyncIterator[tuple[str, list[str]]]:
        """Run each operation, and yield its name and the statements that it took."""
        run = self._run
        yield await run("viewer")
        yield await run("contribution_schedule", insurance="PENSION", year=2020, poolingArea="360000")
        # The first time, the institution's naming of the person is kept.
        await run("find_payer", **LIU)
        yield await run("find_payer", **LIU)
        payer = self._answer["id"]
        yield await run("request_quote", input=self._months(payer, "2020-01", "2020-03") | {"tier": "60"})
        quote = self._answer
        yield await run("submit_payment", input=self._payment(quote, "ONE"))
        number = self._answer["payment"]["receipt"]["number"]
        yield await run("find_payment", bankReference="ONE")
        yield await run("payments_of_day", on="2020-11-16")
        yield await run("receipts", **LIU)
        yield await run("receipt", number=number)
        await run("request_quote", input=self._months(payer, "2020-04", "2020-06") | {"tier": "60"})
        await run("submit_payment", input=self._payment(self._answer, "TWO"))
        yield await run("reverse_payment", input={"bankReference": "TWO", "reason": "test"})
        yield await run("request_assessment", input=self._months(payer, "2018-03", "2018-03"))
        bill = self._answer["id"]
        yield await run("node", id=payer)
        yield await run("nodes", ids=[payer, quote["id"], bill])
        entries = [{"bankReference": f"BANK-{n}", "amount": "1.00"} for n in range(20)]
        yield await run("reconcile_day", input={"date": "2020-11-16", "entries": entries})
        yield await run("settlement_day", on="2020-11-16")
        yield await run("register_callback", input={"url": "https://bank.example/callback"})
        yield await run("callback")
        yield await run("remove_callback")

        self._desk.become(self._bank, TODAY + datetime.timedelta(days=1))
        yield await run("request_refund", input={"bankReference": "ONE", "reason": "test"})
        await self._become_agency()
        yield await run("refunds", status="REQUESTED")
        (edge,) = self._answer["edges"]
        yield await run("decide_refund", input={"refundId": edge["node"]["id"], "approve": True, "reason": "test"})
        bills = [
            {
                "billNumber": f"WALK-{month}",
                **ZHAO,
                "insurance": "PENSION",
                "poolingArea": "360000",
                "firstMonth": f"2020-{month:02}",
                "lastMonth": f"2020-{month:02}",
                "amount": "605.00",
            }
            for month in range(6, 6 + self._bills)
        ]
        yield await run("assess_bills", input={"batch": "WALK", "bills": bills})
        yield await run("withdraw_bill", input={"billNumber": "WALK-6", "reason": "test"})
        self._desk.become(self._bank, TODAY)
        yield await run("events", after="0")

    async def _run(self, name: str, /, **variables: Any) -> tuple[str, list[str]]:
        self._answer = await self._desk.run(text_of(name), **variables)
        code = self._answer.get("code") if isinstance(self._answer, dict) else None
        assert "nextAction" not in (self._answer or {}), f"{name}: {code}"
        return name, list(self._desk.statements)

    async def _become_agency(self) -> None:
        agency_id = await self._desk.institution_id("SI")
        held = scopes.AGENCY | {scopes.REFUND_DECIDE}
        name, kind = "社会保险经办机构", "SOCIAL_INSURANCE_AGENCY"
        self._desk.become(Caller("social-insurance-agency", agency_id, "SI", name, kind, None, held), TODAY)

    @staticmethod
    def _months(payer: str, first: str, last: str) -> dict[str, str]:
        return {"payerId": payer, "firstMonth": first, "lastMonth": last}

    @staticmethod
    def _payment(quote: dict[str, str], reference: str) -> dict[str, str]:
        return {
            "payableId": quote["id"],
            "amount": quote["amount"],
            "bankReference": reference,
            "collectedAt": "2020-11-16T09:30:00+08:00",
        }
