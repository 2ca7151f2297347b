"""How many statements an operation takes: one for each tree that is read, one for each that moves money."""

import datetime

import pytest

from auth import scopes
from auth.tokens import Caller
from gateway.demo.client import document
from tests.desk import LIU, TODAY, CountingDesk

pytestmark = pytest.mark.anyio


async def test_a_payer_with_periods_and_bills_is_one_statement_once_named(desk: CountingDesk) -> None:
    await desk.run(document("find_payer"), **LIU)
    assert len(desk.statements) == 2, "the first time, the institution's naming of the person is kept"
    await desk.run(document("find_payer"), **LIU)
    assert len(desk.statements) == 1


async def test_a_payment_is_one_statement_with_the_whole_tree_of_its_answer(desk: CountingDesk) -> None:
    payer = await desk.run(document("find_payer"), **LIU)
    quote = await desk.run(
        document("request_quote"),
        input={"payerId": payer["id"], "firstMonth": "2020-01", "lastMonth": "2020-03", "tier": "60"},
    )
    assert len(desk.statements) == 1
    submission = {
        "payableId": quote["id"],
        "amount": quote["amount"],
        "bankReference": "ONE",
        "collectedAt": "2020-11-16T09:30:00+08:00",
    }
    deep = """
        mutation ($input: SubmitPaymentInput!) {
          submitPayment(input: $input) {
            ... on PaymentAccepted {
              payment {
                receipt { number status poolingArea { name } }
                payable {
                  id
                  ... on Quote { status lines { month } payment { bankReference receipt { number } } }
                }
              }
            }
          }
        }
    """
    answer = await desk.run(deep, input=submission)
    assert len(desk.statements) == 1
    payable = answer["payment"]["payable"]
    assert payable["status"] == "PAID"
    assert payable["payment"] == {"bankReference": "ONE", "receipt": {"number": answer["payment"]["receipt"]["number"]}}

    await desk.run(document("find_payment"), bankReference="ONE")
    assert len(desk.statements) == 1
    await desk.run(document("payments_of_day"), on="2020-11-16")
    assert len(desk.statements) == 1
    await desk.run(document("receipts"), **LIU)
    assert len(desk.statements) == 1
    reversed_ = await desk.run(document("reverse_payment"), input={"bankReference": "ONE", "reason": "test"})
    assert len(desk.statements) == 1
    assert reversed_["payment"]["receipt"]["status"] == "VOID"


async def test_asking_for_a_refund_and_deciding_it_are_one_statement_each(desk: CountingDesk) -> None:
    payer = await desk.run(document("find_payer"), **LIU)
    run = {"payerId": payer["id"], "firstMonth": "2020-01", "lastMonth": "2020-03", "tier": "60"}
    quote = await desk.run(document("request_quote"), input=run)
    await desk.run(
        document("submit_payment"),
        input={
            "payableId": quote["id"],
            "amount": quote["amount"],
            "bankReference": "ONE",
            "collectedAt": "2020-11-16T09:30:00+08:00",
        },
    )
    desk.become(desk.caller, TODAY + datetime.timedelta(days=1))
    deep = """
        mutation ($input: RequestRefundInput!) {
          requestRefund(input: $input) {
            ... on RefundRequested {
              refund { id status }
              payment { refund { id status receiptNumber } receipt { number status } }
            }
          }
        }
    """
    answer = await desk.run(deep, input={"bankReference": "ONE", "reason": "test"})
    assert len(desk.statements) == 1
    told, receipt = answer["payment"]["refund"], answer["payment"]["receipt"]
    assert told == {**answer["refund"], "receiptNumber": receipt["number"]}
    assert (told["status"], receipt["status"]) == ("REQUESTED", "VALID")

    agency_id = await desk.institution_id("SI")
    held = frozenset({scopes.REFUND_DECIDE})
    agency = Caller(
        "social-insurance-refunds", agency_id, "SI", "社会保险经办机构", "SOCIAL_INSURANCE_AGENCY", None, held
    )
    desk.become(agency, TODAY)
    page = await desk.run(document("refunds"), status="REQUESTED")
    assert len(desk.statements) == 1
    (edge,) = page["edges"]
    sent = {"refundId": edge["node"]["id"], "approve": True, "reason": "test"}
    decided = await desk.run(document("decide_refund"), input=sent)
    assert len(desk.statements) == 1
    assert decided["refund"]["status"] == "REFUNDED"


async def test_the_same_tree_under_two_names_is_read_once(desk: CountingDesk) -> None:
    text = """
        query ($residentId: ResidentId!, $name: String!) {
          payer(residentId: $residentId, name: $name) {
            a: payablePeriods(mode: ARREARS) { firstMonth }
            b: payablePeriods(mode: ARREARS) { lastMonth }
            c: payablePeriods(mode: CURRENT_YEAR) { firstMonth tiers { code } }
          }
        }
    """
    await desk.run(text, **LIU)
    payer = await desk.run(text, **LIU)
    (statement,) = desk.statements
    assert statement.count("FROM unpaid_months") == 2
    assert [p["firstMonth"] for p in payer["a"]] == ["2018-03", "2019-07"]
    assert [p["lastMonth"] for p in payer["b"]] == ["2018-03", "2019-10"]
    assert [(p["firstMonth"], len(p["tiers"])) for p in payer["c"]] == [("2020-01", 10)]


async def test_what_is_not_asked_for_is_not_joined(desk: CountingDesk) -> None:
    text = """
        query ($residentId: ResidentId!, $name: String!) {
          payer(residentId: $residentId, name: $name) { maskedName }
        }
    """
    await desk.run(text, **LIU)
    await desk.run(text, **LIU)
    (statement,) = desk.statements
    for table in ("enrolments", "unpaid_months", "bills", "payments"):
        assert table not in statement


async def test_events_with_what_they_are_of_are_one_statement(desk: CountingDesk) -> None:
    text = """
        {
          events(first: 5) {
            edges {
              cursor
              node {
                sequence
                ... on PaymentEvent { payment { receipt { number } payable { id } } }
                ... on BillEvent { bill { billNumber payment { bankReference } } }
              }
            }
          }
        }
    """
    await desk.run(text)
    (statement,) = desk.statements
    assert {"payments", "bills", "receipts"} <= set(statement.split())
    await desk.run("{ events { edges { node { sequence kind } } } }")
    (statement,) = desk.statements
    assert {"payments", "bills"}.isdisjoint(statement.split())
