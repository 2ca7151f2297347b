"""退费: asked for after the payment's business date, decided once, by the agency of the insurance."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import pytest

from gateway.demo.client import document
from tests.acceptance.gateway import Client, Server, gateway
from tests.acceptance.operations import (
    DECIDE_REFUND,
    PAYMENT_OF,
    RECEIPT_OF,
    REFUND,
    REFUNDS,
    REQUEST_REFUND,
    Answer,
    agency_bill,
    assess_bills,
    billed,
    bills,
    pay,
    payer_id,
    quote,
    reverse,
    runs,
    submit,
)
from tests.acceptance.people import Person
from tests.databases import fetch

REFUND_OF = f"""query ($bankReference: String!) {{ payment(bankReference: $bankReference) {{
  status refund {{ {REFUND} }}
}} }}"""
NODE = f"query ($id: ID!) {{ node(id: $id) {{ __typename ... on Refund {{ {REFUND} }} }} }}"
DAY = """{ settlementDay(date: "2020-11-16") {
  accepted { count amount } reversed { count amount } net { count amount }
} }"""
WHOLE_YEAR = [("CURRENT_YEAR", "2020-01", "2020-12")]
RACERS = 10


@pytest.fixture(scope="module")
def si(tomorrow: Server) -> Client:
    return tomorrow.client("social-insurance-refunds")


@pytest.fixture(scope="module")
def mi(tomorrow: Server) -> Client:
    return tomorrow.client("medical-insurance-refunds")


def request(client: Client, reference: str, reason: str = "重复缴费") -> Answer:
    answer: Answer = client.run(REQUEST_REFUND, input={"bankReference": reference, "reason": reason})["requestRefund"]
    return answer


def decide(client: Client, identity: str, *, approve: bool, reason: str = "情况属实") -> Answer:
    sent = {"refundId": identity, "approve": approve, "reason": reason}
    answer: Answer = client.run(DECIDE_REFUND, input=sent)["decideRefund"]
    return answer


def listed(client: Client, status: str | None = None) -> list[Answer]:
    """Return all refunds that a client sees, page by page."""
    found: list[Answer] = []
    after = None
    while True:
        page = client.run(REFUNDS, status=status, first=100, after=after)["refunds"]
        found += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


def waiting(agency: Client, reference: str) -> Answer:
    """Return the request that waits for the agency's decision, as the agency sees it."""
    (found,) = [refund for refund in listed(agency, "REQUESTED") if refund["bankReference"] == reference]
    return found


def requested(later: Client, agency: Client, reference: str) -> Answer:
    """Ask for a refund that must be taken, and return it as the agency sees it."""
    answer = request(later, reference)
    assert (answer["__typename"], answer["replayed"]) == ("RefundRequested", False), answer
    return waiting(agency, reference)


def status(client: Client, reference: str) -> tuple[str, str]:
    payment = client.run(PAYMENT_OF, bankReference=reference)["payment"]
    return payment["status"], payment["receipt"]["status"]


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


@pytest.mark.parametrize(("approve", "ended"), [(True, "REFUNDED"), (False, "REJECTED")])
def test_a_decision_is_made_once(
    abc: Client, later: Client, si: Client, people: Iterator[Person], approve: bool, ended: str
) -> None:
    reference = f"REF-ONCE-{ended}"
    pay(abc, quote(abc, next(people), "2020-03", "2020-05"), reference)
    refund = requested(later, si, reference)
    first = decide(si, refund["id"], approve=approve, reason="one")
    again = decide(si, refund["id"], approve=approve, reason="two")
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["refund"] == first["refund"]
    opposite = decide(si, refund["id"], approve=not approve)
    assert (opposite["__typename"], opposite["code"]) == ("RefundNotDecidable", "REFUND_NOT_DECIDABLE")
    assert (opposite["status"], opposite["nextAction"]) == (ended, "CORRECT_REQUEST")


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


def test_medical_refunds_are_the_medical_agencys(
    server: Server, tomorrow: Server, abc: Client, later: Client, si: Client, mi: Client, people: Iterator[Person]
) -> None:
    person = next(people)
    bill = billed(person, "MI-REF", "2020-01", "2020-12", "2000.00") | {
        "insurance": "MEDICAL",
        "poolingArea": "360100",
    }
    assert assess_bills(server.client("medical-insurance-agency"), "MI-REF", bill)["__typename"] == "BillsAssessed"
    pay(abc, bills(abc, person)[0], "REF-MEDICAL")
    pay(abc, quote(abc, person, "2020-03", "2020-05"), "REF-PENSION")
    medical = requested(later, mi, "REF-MEDICAL")
    pension = requested(later, si, "REF-PENSION")
    assert {refund["insurance"] for refund in listed(mi)} == {"MEDICAL"}
    assert {refund["insurance"] for refund in listed(si)} == {"PENSION"}
    # An id is its agency's: to the other one, and from the bank, it is worth nothing.
    own = later.run(REFUND_OF, bankReference="REF-MEDICAL")["payment"]["refund"]["id"]
    assert own != medical["id"]
    for client, identity in ((si, medical["id"]), (mi, pension["id"]), (mi, own), (si, own)):
        refused = decide(client, identity, approve=True)
        assert (refused["__typename"], refused["code"]) == ("RefundNotFound", "REFUND_NOT_FOUND")
        assert refused["nextAction"] == "CORRECT_REQUEST"
        assert client.run(NODE, id=identity)["node"] is None
    assert later.run(NODE, id=medical["id"])["node"] is None
    assert later.run(NODE, id=own)["node"] == {"__typename": "Refund", **medical, "id": own}
    assert mi.run(NODE, id=medical["id"])["node"] == {"__typename": "Refund", **medical}
    assert decide(mi, medical["id"], approve=True)["refund"]["status"] == "REFUNDED"
    assert status(later, "REF-PENSION") == ("ACCEPTED", "VALID")


def test_another_bank_sees_and_asks_nothing(
    server: Server, tomorrow: Server, abc: Client, later: Client, si: Client, people: Iterator[Person]
) -> None:
    tax_today, tax = server.client("tax-window"), tomorrow.client("tax-window")
    pay(tax_today, quote(tax_today, next(people), "2020-03", "2020-05"), "REF-THEIRS")
    refused = request(later, "REF-THEIRS")
    assert (refused["__typename"], refused["code"]) == ("PaymentNotFound", "PAYMENT_NOT_FOUND")
    own = request(tax, "REF-THEIRS")["refund"]
    assert own["institution"]["code"] == "TAX"
    assert waiting(si, "REF-THEIRS")["institution"]["code"] == "TAX"
    assert {refund["institution"]["code"] for refund in listed(later)} == {"ABC"}
    assert {refund["institution"]["code"] for refund in listed(tax)} == {"TAX"}
    assert later.run(NODE, id=own["id"])["node"] is None
    assert request(later, "REF-NEVER")["__typename"] == "PaymentNotFound"


@pytest.mark.parametrize("identity", ["", "x", "A" * 34, "A" * 5000])
def test_an_id_that_is_none_is_no_refund(si: Client, later: Client, abc: Client, identity: str) -> None:
    assert decide(si, identity, approve=True)["__typename"] == "RefundNotFound"


def test_an_id_of_another_kind_is_no_refund(abc: Client, si: Client, people: Iterator[Person]) -> None:
    assert decide(si, payer_id(abc, next(people)), approve=True)["__typename"] == "RefundNotFound"


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


def race(client: Client, moves: list[tuple[str, dict[str, Any]]]) -> list[Answer]:
    """Send all at once, each over a connection of its own."""

    def send(move: tuple[str, dict[str, Any]]) -> Answer:
        query, sent = move
        with httpx.Client(base_url=client.base_url, timeout=60, trust_env=False) as http:
            (answer,) = replace(client, http=http).run(query, input=sent).values()
        found: Answer = answer
        return found

    with ThreadPoolExecutor(len(moves)) as pool:
        return list(pool.map(send, moves))


def test_ten_requests_at_once_are_one(abc: Client, later: Client, si: Client, people: Iterator[Person]) -> None:
    pay(abc, quote(abc, next(people), "2020-03", "2020-05"), "REF-TEN")
    answers = race(later, [(REQUEST_REFUND, {"bankReference": "REF-TEN", "reason": "重复缴费"})] * RACERS)
    assert sorted(answer["replayed"] for answer in answers) == [False] + [True] * (RACERS - 1)
    assert len({answer["refund"]["id"] for answer in answers}) == 1
    assert all(answer["payment"]["refund"]["id"] == answer["refund"]["id"] for answer in answers)


def test_ten_approvals_at_once_are_one(
    abc: Client, later: Client, si: Client, people: Iterator[Person], sandbox_database: str
) -> None:
    pay(abc, quote(abc, next(people), "2020-03", "2020-05"), "REF-TEN-TIMES")
    refund = requested(later, si, "REF-TEN-TIMES")
    answers = race(si, [(DECIDE_REFUND, {"refundId": refund["id"], "approve": True, "reason": "同意"})] * RACERS)
    assert sorted(answer["replayed"] for answer in answers) == [False] + [True] * (RACERS - 1)
    assert {answer["refund"]["status"] for answer in answers} == {"REFUNDED"}
    assert len({answer["refund"]["decidedAt"] for answer in answers}) == 1
    posted = """
        SELECT count(*) FROM postings AS o INNER JOIN payments AS p ON o.payment_id = p.id
        WHERE p.bank_reference = 'REF-TEN-TIMES' AND o.kind = 'REFUNDED'
    """
    assert fetch(sandbox_database, posted)[0][0] == 1


def test_of_approval_and_rejection_at_once_one_wins(
    abc: Client, later: Client, si: Client, people: Iterator[Person]
) -> None:
    person = next(people)
    pay(abc, quote(abc, person, "2020-03", "2020-05"), "REF-RIVALS")
    refund = requested(later, si, "REF-RIVALS")
    moves = [
        (DECIDE_REFUND, {"refundId": refund["id"], "approve": bool(i % 2), "reason": "同时"}) for i in range(RACERS)
    ]
    answers = race(si, moves)
    decided = [answer for answer in answers if answer["__typename"] == "RefundDecided"]
    refused = [answer for answer in answers if answer["__typename"] == "RefundNotDecidable"]
    assert (len(decided), len(refused)) == (RACERS // 2, RACERS // 2)
    assert sum(answer["replayed"] is False for answer in decided) == 1
    (ended,) = {answer["refund"]["status"] for answer in decided} | {answer["status"] for answer in refused}
    wanted = ("REFUNDED", "VOID") if ended == "REFUNDED" else ("ACCEPTED", "VALID")
    assert status(later, "REF-RIVALS") == wanted
    assert len(runs(later, person, mode="CURRENT_YEAR")) == (1 if ended == "REFUNDED" else 2)


def test_postgresql_itself_refuses_a_second_decision(
    abc: Client, later: Client, si: Client, people: Iterator[Person], sandbox_database: str
) -> None:
    pay(abc, quote(abc, next(people), "2020-03", "2020-05"), "REF-DECIDED")
    decide(si, requested(later, si, "REF-DECIDED")["id"], approve=False)
    of_payment = "(SELECT id FROM payments WHERE bank_reference = 'REF-DECIDED')"
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        fetch(sandbox_database, f"UPDATE refunds SET approved = TRUE WHERE payment_id = {of_payment}")
    again = f"""
        INSERT INTO refunds (payment_id, institution_id, payer_id, insurance, reason, requested_by)
        SELECT payment_id, institution_id, payer_id, insurance, reason, requested_by FROM refunds
        WHERE payment_id = {of_payment} LIMIT 1
    """
    fetch(sandbox_database, again)
    with pytest.raises(asyncpg.UniqueViolationError):
        fetch(sandbox_database, again)


def lacks(response: httpx.Response, scope: str) -> None:
    assert response.status_code == 403, response.text
    assert f'scope="{scope}"' in response.headers["www-authenticate"]


def test_scopes_part_who_asks_from_who_decides(tomorrow: Server, later: Client, si: Client) -> None:
    asking = {"input": {"bankReference": "REF-LIFE", "reason": "x"}}
    deciding = {"input": {"refundId": "x", "approve": True, "reason": "x"}}
    lacks(si.post(REQUEST_REFUND, asking), "payment:reverse receipt:read")
    lacks(later.post(DECIDE_REFUND, deciding), "refund:decide")
    mobile = tomorrow.client("abc-mobile")
    lacks(mobile.post(document("request_refund"), asking), "payment:reverse")
    lacks(mobile.post(REFUND_OF, {"bankReference": "REF-LIFE"}), "payment:reverse")
    lacks(mobile.post(REFUNDS), "payment:reverse")
    lacks(tomorrow.client("social-insurance-agency").post(DECIDE_REFUND, deciding), "refund:decide")
    own = next(iter(listed(later)))["id"]
    assert mobile.run(NODE, id=own)["node"] is None


def test_a_bank_with_the_agencys_scope_decides_nothing(
    tomorrow: Server, later: Client, sandbox_database: str, master_key: str
) -> None:
    settings = {"GATEWAY_DATABASE_URL": sandbox_database, "GATEWAY_MASTER_KEY": master_key}
    made = gateway(
        "clients", "register", "--institution", "ABC", "--scope", "refund:decide payment:reverse", **settings
    )
    assert made.returncode == 0, made.stderr
    client = json.loads(made.stdout)
    token = tomorrow.token(client["client_id"], client["client_secret"]).json()["access_token"]
    both = Client(tomorrow.base_url, client["client_id"], token, tomorrow.http)
    assert listed(both) == listed(later)
    for refund in listed(both)[:3]:
        assert decide(both, refund["id"], approve=True)["__typename"] == "RefundNotFound"
    narrow = tomorrow.token(client["client_id"], client["client_secret"], scope="refund:decide").json()["access_token"]
    assert listed(replace(both, token=narrow)) == []


def test_requests_and_decisions_are_audited_without_their_reasons(
    abc: Client, later: Client, si: Client, people: Iterator[Person], sandbox_database: str
) -> None:
    pay(abc, quote(abc, next(people), "2020-03", "2020-05"), "REF-AUDIT")
    decide(si, requested(later, si, "REF-AUDIT")["id"], approve=False, reason="机密一")
    request(later, "REF-AUDIT", "机密二")
    decide(si, waiting(si, "REF-AUDIT")["id"], approve=True, reason="机密三")
    entries = fetch(
        sandbox_database,
        """
        SELECT a.lane, a.actor, a.action, a.detail::text FROM audit_entries AS a
        INNER JOIN payments AS p ON p.bank_reference = 'REF-AUDIT'
        WHERE a.subject = 'payment:' || p.id OR a.detail ->> 'payment_id' = p.id::text
        ORDER BY a.lane, a.position
        """,
    )
    assert [(entry["actor"], entry["action"]) for entry in entries] == [
        ("client:abc-counter", "PAYMENT_ACCEPTED"),
        ("client:abc-counter", "REFUND_REQUESTED"),
        ("client:social-insurance-refunds", "REFUND_REJECTED"),
        ("client:abc-counter", "REFUND_REQUESTED"),
        ("client:social-insurance-refunds", "REFUND_GRANTED"),
        ("client:social-insurance-refunds", "PAYMENT_REFUNDED"),
    ]
    assert len({entry["lane"] for entry in entries}) == 1
    assert not [entry for entry in entries if "机密" in entry["detail"] or "*" in entry["detail"]]


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
