"""退费: decided once, by the agency of the insurance and nobody else, whatever races."""

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
    REFUND,
    REFUNDS,
    REQUEST_REFUND,
    Answer,
    assess_bills,
    billed,
    bills,
    pay,
    payer_id,
    quote,
    runs,
)
from tests.acceptance.people import Person
from tests.acceptance.refunds import REFUND_OF, decide, listed, mi, request, requested, si, status, waiting
from tests.databases import fetch

__all__ = ["mi", "si"]

NODE = f"query ($id: ID!) {{ node(id: $id) {{ __typename ... on Refund {{ {REFUND} }} }} }}"
RACERS = 10


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
