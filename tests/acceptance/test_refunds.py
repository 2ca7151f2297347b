"""退费: asked for after the payment's business date, and what a request, a grant and a rejection do."""

from collections.abc import Iterator

import pytest

from gateway.demo.client import document
from tests.acceptance.gateway import Client, Server
from tests.acceptance.operations import (
    DECIDE_REFUND,
    RECEIPT_OF,
    REFUNDS,
    REQUEST_REFUND,
    Answer,
    agency_bill,
    assess_bills,
    billed,
    bills,
    pay,
    quote,
    reverse,
    runs,
    submit,
)
from tests.acceptance.people import Person
from tests.acceptance.refunds import REFUND_OF, WHOLE_YEAR, decide, listed, mi, request, requested, si, status, waiting

__all__ = ["mi", "si"]

DAY = """{ settlementDay(date: "2020-11-16") {
  accepted { count amount } reversed { count amount } net { count amount }
} }"""


def test_a_refund_is_asked_for_granted_and_frees_the_months(
    abc: Client, later: Client, si: Client, people: Iterator[Person]
) -> None:
    person = next(people)
    paid = pay(abc, quote(abc, person, "2020-03", "2020-05"), "REF-LIFE")
    assert later.run(REFUND_OF, bankReference="REF-LIFE")["payment"]["refund"] is None

    answer = request(later, "REF-LIFE", "重复缴费")
    assert (answer["__typename"], answer["replayed"]) == ("RefundRequested", False)
    refund = answer["refund"]
    assert refund == {
        "id": refund["id"],
        "status": "REQUESTED",
        "reason": "重复缴费",
        "requestedAt": refund["requestedAt"],
        "decidedAt": None,
        "decisionReason": None,
        "institution": {"code": "ABC", "name": "中国农业银行"},
        "bankReference": "REF-LIFE",
        "receiptNumber": paid["receipt"]["number"],
        "insurance": "PENSION",
        "poolingArea": {"code": "360000", "name": "江西省"},
        "firstMonth": "2020-03",
        "lastMonth": "2020-05",
        "amount": paid["amount"],
        "maskedName": paid["receipt"]["maskedName"],
        "maskedResidentId": paid["receipt"]["maskedResidentId"],
        "businessDate": "2020-11-16",
    }
    assert refund["requestedAt"].endswith("+08:00")
    assert answer["payment"] == {
        "id": paid["id"],
        "status": "ACCEPTED",
        "bankReference": "REF-LIFE",
        "refund": {"id": refund["id"], "status": "REQUESTED"},
        "receipt": {"status": "VALID"},
    }
    # Asking moves no money: the months stay paid until the agency says so.
    assert len(runs(later, person, mode="CURRENT_YEAR")) == 2

    seen = waiting(si, "REF-LIFE")
    assert {**seen, "id": refund["id"]} == refund
    decided = decide(si, seen["id"], approve=True, reason="情况属实")
    assert (decided["__typename"], decided["replayed"]) == ("RefundDecided", False)
    granted = decided["refund"]
    assert granted["decidedAt"].endswith("+08:00")
    assert granted == seen | {
        "status": "REFUNDED",
        "decidedAt": granted["decidedAt"],
        "decisionReason": "情况属实",
    }

    assert status(later, "REF-LIFE") == ("REFUNDED", "VOID")
    found = later.run(REFUND_OF, bankReference="REF-LIFE")["payment"]
    assert found == {"status": "REFUNDED", "refund": {**granted, "id": refund["id"]}}
    receipt = abc.run(RECEIPT_OF, number=paid["receipt"]["number"])["receipt"]
    assert receipt == paid["receipt"] | {"status": "VOID"}
    assert runs(later, person, mode="CURRENT_YEAR") == WHOLE_YEAR


def test_the_months_can_be_paid_again_by_another_payment(
    abc: Client, tomorrow: Server, later: Client, si: Client, people: Iterator[Person]
) -> None:
    person = next(people)
    pay(abc, quote(abc, person, "2020-03", "2020-05"), "REF-OLD")
    decide(si, requested(later, si, "REF-OLD")["id"], approve=True)
    tax = tomorrow.client("tax-window")
    new = pay(tax, quote(tax, person, "2020-04", "2020-06", "100"), "REF-NEW")
    assert (new["status"], new["receipt"]["status"]) == ("ACCEPTED", "VALID")
    # The refunded one stays refunded, and cannot free the months of the new one.
    assert request(later, "REF-OLD")["replayed"] is True
    assert ("CURRENT_YEAR", "2020-07", "2020-12") in runs(later, person)


def test_the_payment_sent_again_after_its_refund_is_the_first_answer(
    abc: Client, later: Client, si: Client, people: Iterator[Person]
) -> None:
    person = next(people)
    payable = quote(abc, person, "2020-03", "2020-05")
    paid = pay(abc, payable, "REF-REPLAY")
    decide(si, requested(later, si, "REF-REPLAY")["id"], approve=True)
    again = submit(later, payable, "REF-REPLAY")
    assert (again["__typename"], again["replayed"]) == ("PaymentAccepted", True)
    assert (again["payment"]["id"], again["payment"]["status"]) == (paid["id"], "REFUNDED")
    assert again["payment"]["receipt"]["number"] == paid["receipt"]["number"]
    assert runs(later, person, mode="CURRENT_YEAR") == WHOLE_YEAR


def test_on_its_own_day_a_payment_is_reversed_and_not_refunded(
    abc: Client, later: Client, people: Iterator[Person]
) -> None:
    pay(abc, quote(abc, next(people), "2020-03", "2020-05"), "REF-TODAY")
    refused = request(abc, "REF-TODAY")
    assert (refused["__typename"], refused["code"]) == ("PaymentNotRefundable", "PAYMENT_STILL_REVERSIBLE")
    assert (refused["status"], refused["nextAction"]) == ("ACCEPTED", "CORRECT_REQUEST")
    assert later.run(REFUND_OF, bankReference="REF-TODAY")["payment"]["refund"] is None
    reverse(abc, "REF-TODAY")
    for client in (abc, later):
        refused = request(client, "REF-TODAY")
        assert (refused["__typename"], refused["code"]) == ("PaymentNotRefundable", "PAYMENT_NOT_REFUNDABLE")
        assert (refused["status"], refused["nextAction"]) == ("REVERSED", "CORRECT_REQUEST")


def test_a_payment_of_a_day_to_come_is_not_refunded(abc: Client, later: Client, people: Iterator[Person]) -> None:
    pay(later, quote(later, next(people), "2020-03", "2020-05"), "REF-AHEAD")
    assert request(abc, "REF-AHEAD")["code"] == "PAYMENT_STILL_REVERSIBLE"
    assert request(later, "REF-AHEAD")["code"] == "PAYMENT_STILL_REVERSIBLE"


def test_what_is_asked_again_is_the_first_request(
    abc: Client, later: Client, tomorrow: Server, si: Client, people: Iterator[Person]
) -> None:
    pay(abc, quote(abc, next(people), "2020-03", "2020-05"), "REF-AGAIN")
    first = request(later, "REF-AGAIN", "多缴")
    again = request(tomorrow.client("abc-counter"), "REF-AGAIN", "another reason")
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["refund"] == first["refund"]
    assert len([r for r in listed(si) if r["bankReference"] == "REF-AGAIN"]) == 1
    decide(si, waiting(si, "REF-AGAIN")["id"], approve=True)
    after = request(later, "REF-AGAIN")
    assert (after["replayed"], after["refund"]["id"], after["refund"]["status"]) == (
        True,
        first["refund"]["id"],
        "REFUNDED",
    )
    assert (after["payment"]["status"], after["payment"]["receipt"]["status"]) == ("REFUNDED", "VOID")


def test_a_rejected_request_can_be_made_anew(abc: Client, later: Client, si: Client, people: Iterator[Person]) -> None:
    person = next(people)
    pay(abc, quote(abc, person, "2020-03", "2020-05"), "REF-ANEW")
    first = requested(later, si, "REF-ANEW")
    rejected = decide(si, first["id"], approve=False, reason="材料不全")
    assert (rejected["replayed"], rejected["refund"]["status"]) == (False, "REJECTED")
    assert rejected["refund"]["decisionReason"] == "材料不全"
    assert status(later, "REF-ANEW") == ("ACCEPTED", "VALID")
    assert len(runs(later, person, mode="CURRENT_YEAR")) == 2

    second = request(later, "REF-ANEW", "补充材料")
    assert (second["replayed"], second["refund"]["status"]) == (False, "REQUESTED")
    assert second["payment"]["refund"] == {"id": second["refund"]["id"], "status": "REQUESTED"}
    assert [r["status"] for r in listed(later) if r["bankReference"] == "REF-ANEW"] == ["REJECTED", "REQUESTED"]
    # The first one stays rejected, whatever becomes of the second.
    decide(si, waiting(si, "REF-ANEW")["id"], approve=True)
    assert decide(si, first["id"], approve=True)["status"] == "REJECTED"
    assert decide(si, first["id"], approve=False)["replayed"] is True
    assert status(later, "REF-ANEW") == ("REFUNDED", "VOID")


def test_a_refunded_payment_is_not_reversed(abc: Client, later: Client, si: Client, people: Iterator[Person]) -> None:
    pay(abc, quote(abc, next(people), "2020-03", "2020-05"), "REF-REVERSE")
    decide(si, requested(later, si, "REF-REVERSE")["id"], approve=True)
    for client in (abc, later):
        refused = reverse(client, "REF-REVERSE")
        assert refused["__typename"] == "PaymentNotReversible"
        assert (refused["status"], refused["nextAction"]) == ("REFUNDED", "CORRECT_REQUEST")


def test_a_reversal_still_under_way_closes_the_request(
    abc: Client, later: Client, si: Client, people: Iterator[Person]
) -> None:
    """Around midnight two workers may stand on two business days."""
    pay(abc, quote(abc, next(people), "2020-03", "2020-05"), "REF-MIDNIGHT")
    refund = requested(later, si, "REF-MIDNIGHT")
    assert reverse(abc, "REF-MIDNIGHT")["replayed"] is False
    assert decide(si, refund["id"], approve=True)["status"] == "REJECTED"
    assert status(later, "REF-MIDNIGHT") == ("REVERSED", "VOID")
    assert request(later, "REF-MIDNIGHT")["status"] == "REVERSED"


def test_a_bill_is_payable_again_unless_its_last_day_has_passed(
    server: Server, abc: Client, later: Client, si: Client, people: Iterator[Person]
) -> None:
    person = next(people)
    agency = server.client("social-insurance-agency")
    agency_bill(agency, "SI-REF-OPEN", person, "2020-03", "2020-05", "1815.00")
    assess_bills(agency, "REF-DUE", billed(person, "SI-REF-DUE", "2020-06", "2020-06", "605.00", payBy="2020-11-16"))
    for bill in bills(abc, person):
        pay(abc, bill, bill["billNumber"])
    for number in ("SI-REF-OPEN", "SI-REF-DUE"):
        decide(si, requested(later, si, number)["id"], approve=True)
        assert status(later, number) == ("REFUNDED", "VOID")
    assert [bill["billNumber"] for bill in bills(later, person)] == ["SI-REF-OPEN"]
    assert [bill["status"] for bill in bills(later, person, status=None)] == ["PAYABLE", "EXPIRED"]
    paid = pay(later, bills(later, person)[0], "SI-REF-OPEN-2")
    assert paid["amount"] == "1815.00"


def test_a_page_of_refunds_begins_after_its_cursor(
    abc: Client, later: Client, si: Client, people: Iterator[Person]
) -> None:
    for number in range(3):
        pay(abc, quote(abc, next(people), "2020-03", "2020-05"), f"REF-PAGE-{number}")
        request(later, f"REF-PAGE-{number}")
    everything = listed(si, "REQUESTED")
    assert [r["requestedAt"] for r in everything] == sorted(r["requestedAt"] for r in everything)
    seen: list[Answer] = []
    after = None
    for turn in range(len(everything)):
        page = si.run(REFUNDS, status="REQUESTED", first=1, after=after)["refunds"]
        seen += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        assert page["pageInfo"]["hasPreviousPage"] is bool(turn)
        assert page["pageInfo"]["hasNextPage"] is (turn + 1 < len(everything))
    assert seen == everything
    for first, cursor in ((0, None), (101, None), (1, "x"), (1, everything[0]["id"][::-1])):
        errors = si.post(REFUNDS, {"first": first, "after": cursor}).json()["errors"]
        assert errors[0]["extensions"]["code"] == "BAD_USER_INPUT"


def test_a_settlement_day_stays_as_the_bank_reconciled_it(
    abc: Client, later: Client, si: Client, people: Iterator[Person]
) -> None:
    pay(abc, quote(abc, next(people), "2020-03", "2020-05"), "REF-SETTLED")
    refund = requested(later, si, "REF-SETTLED")
    before = later.run(DAY)
    decide(si, refund["id"], approve=True)
    assert later.run(DAY) == before


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\u0000b"])
def test_a_reason_is_needed(abc: Client, later: Client, si: Client, people: Iterator[Person], reason: str) -> None:
    reference = f"REF-REASON-{len(reason)}-{reason.isprintable()}"
    pay(abc, quote(abc, next(people), "2020-03", "2020-05"), reference)
    answer = later.post(REQUEST_REFUND, {"input": {"bankReference": reference, "reason": reason}}).json()
    assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "field": "input.reason"}
    refund = requested(later, si, reference)
    sent = {"refundId": refund["id"], "approve": True, "reason": reason}
    answer = si.post(DECIDE_REFUND, {"input": sent}).json()
    assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "field": "input.reason"}
    assert waiting(si, reference) == refund


def test_the_documents_of_the_pages_play_it_through(
    abc: Client, later: Client, si: Client, people: Iterator[Person]
) -> None:
    pay(abc, quote(abc, next(people), "2020-03", "2020-05"), "REF-PAGES")
    sent = {"bankReference": "REF-PAGES", "reason": "paid twice"}
    assert later.run(document("request_refund"), input=sent)["requestRefund"]["refund"]["status"] == "REQUESTED"
    page = si.run(document("refunds"), status="REQUESTED")["refunds"]
    (found,) = [edge["node"] for edge in page["edges"] if edge["node"]["bankReference"] == "REF-PAGES"]
    decision = {"refundId": found["id"], "approve": True, "reason": "confirmed"}
    assert si.run(document("decide_refund"), input=decision)["decideRefund"]["refund"]["status"] == "REFUNDED"
