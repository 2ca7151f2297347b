"""What moves money, signed by the bank and answered signed: taken, kept and sealed."""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cryptography.exceptions import InvalidSignature

from tests.acceptance.gateway import Client, gateway, serving
from tests.acceptance.operations import PAYMENT_OF
from tests.acceptance.people import Office, Person
from tests.acceptance.signing import (
    KEY,
    KEYID,
    OTHER_KEY,
    PAGE,
    Request,
    a_payment,
    abc,
    icbc,
    is_recorded,
    is_refused,
    payment_of,
    reversal_of,
)

__all__ = ["abc", "icbc"]

REQUEST_REFUND = """mutation ($input: RequestRefundInput!) { requestRefund(input: $input) {
  __typename ... on RefundRequested { refund { id } }
} }"""


def proofs(office: Office, institution: str, reference: str, status: int = 0) -> list[dict[str, Any]]:
    done = gateway("payments", "signature", institution, reference, **office.settings)
    assert done.returncode == status, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return found


def test_a_signed_payment_is_taken_and_its_signature_is_kept(
    icbc: Client, office: Office, people: Iterator[Person]
) -> None:
    request = a_payment(icbc, people, "SIGNED-1").signed()
    response = request.send()
    assert response.json()["data"]["submitPayment"]["__typename"] == "PaymentAccepted"
    (proof,) = proofs(office, "ICBC", "SIGNED-1")
    assert (proof["event"], proof["client"], proof["keyid"]) == ("ACCEPTED", "icbc-mobile", KEYID)
    assert (proof["verified"], proof["thumbprint"]) == (True, KEY.thumbprint())
    assert proof["body"].encode() == request.body
    assert f'"content-digest": {PAGE["digest"](request.body)}' in proof["signatureBase"].splitlines()
    signature = request.headers["signature"].removeprefix("bank=:").removesuffix(":")
    assert proof["signature"] == base64.b64decode(signature).hex()


def test_what_is_kept_is_sealed(icbc: Client, office: Office, people: Iterator[Person]) -> None:
    request = a_payment(icbc, people, "SIGNED-2").signed()
    assert request.send().status_code == 200
    rows = asyncio.run(_fetch(office, "SELECT sealed_message, signature FROM payment_signatures"))
    for row in rows:
        kept = bytes(row["sealed_message"]) + bytes(row["signature"])
        assert icbc.token.encode() not in kept
        assert b"bankReference" not in kept


async def _fetch(office: Office, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(office.database_url)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(sql)
        return rows
    finally:
        await connection.close()


def test_an_institution_that_must_sign_moves_no_money_without(
    abc: Client, office: Office, people: Iterator[Person]
) -> None:
    request = a_payment(abc, people, "MUST-SIGN")
    is_refused(request.send(), 401, "SIGNATURE_REQUIRED")
    assert not is_recorded(abc, "MUST-SIGN")
    assert request.signed(OTHER_KEY, "abc").send().json()["data"]["submitPayment"]["replayed"] is False
    reversal = reversal_of(abc, "MUST-SIGN")
    is_refused(reversal.send(), 401, "SIGNATURE_REQUIRED")
    assert abc.run(PAYMENT_OF, bankReference="MUST-SIGN")["payment"]["status"] == "ACCEPTED"
    reversal.signed(OTHER_KEY, "abc")
    response = reversal.send()
    assert response.json()["data"]["reversePayment"]["__typename"] == "PaymentReversed"
    reversal.check(response)
    events = [(proof["event"], proof["verified"]) for proof in proofs(office, "ABC", "MUST-SIGN")]
    assert events == [("ACCEPTED", True), ("REVERSED", True)]


def test_the_answer_is_signed_and_bound_to_the_request(icbc: Client, people: Iterator[Person]) -> None:
    request = a_payment(icbc, people, "ANSWER-1").signed()
    response = request.send()
    request.check(response)
    assert '"signature";req' in response.headers["signature-input"]
    mine = request.headers["signature"]
    request.signed()
    assert request.headers["signature"] != mine
    with pytest.raises(InvalidSignature):
        request.check(response)


def test_the_answer_to_an_unsigned_payment_is_signed_too(
    icbc: Client, office: Office, people: Iterator[Person]
) -> None:
    request = a_payment(icbc, people, "ANSWER-2")
    response = request.send()
    request.check(response)
    assert "signature" not in icbc.post("{ viewer { clientId } }").headers
    proofs(office, "ICBC", "ANSWER-2", status=1)
    proofs(office, "ICBC", "NO-SUCH-PAYMENT", status=1)
    # What is refused as data is an answer as well.
    refused = payment_of(icbc, {"id": "x", "amount": "1.00"}, "ANSWER-3")
    refused.check(refused.send())


def test_a_repetition_signed_anew_keeps_the_first_signature(
    icbc: Client, office: Office, people: Iterator[Person]
) -> None:
    request = a_payment(icbc, people, "AGAIN").signed()
    first = request.headers["signature"]
    assert request.send().json()["data"]["submitPayment"]["replayed"] is False
    # The very bytes again, and the same payment signed anew.
    assert request.send().json()["data"]["submitPayment"]["replayed"] is True
    assert request.signed().send().json()["data"]["submitPayment"]["replayed"] is True
    (proof,) = proofs(office, "ICBC", "AGAIN")
    assert base64.b64encode(bytes.fromhex(proof["signature"])).decode() in first


def test_what_was_changed_in_the_database_is_told(icbc: Client, office: Office, people: Iterator[Person]) -> None:
    assert a_payment(icbc, people, "TAMPERED").signed().send().status_code == 200
    change = """
        UPDATE payment_signatures SET sealed_message = set_byte(sealed_message, 40, get_byte(sealed_message, 40) # 1)
        WHERE payment_id = (SELECT id FROM payments WHERE bank_reference = 'TAMPERED')
    """
    asyncio.run(_fetch(office, change))
    done = gateway("payments", "signature", "ICBC", "TAMPERED", **office.settings)
    assert (done.returncode, done.stdout) == (1, "")
    assert "has been changed" in done.stderr


def test_a_refund_keeps_its_signature(abc: Client, office: Office, people: Iterator[Person], tmp_path: Path) -> None:
    assert a_payment(abc, people, "REFUND").signed(OTHER_KEY, "abc").send().status_code == 200
    settings = {**office.settings, "GATEWAY_BUSINESS_DATE": "2020-11-17"}
    with serving(tmp_path / "tomorrow.log", **settings) as tomorrow:
        request = Request(
            tomorrow.client("abc-counter"), REQUEST_REFUND, input={"bankReference": "REFUND", "reason": "多缴"}
        )
        is_refused(request.send(), 401, "SIGNATURE_REQUIRED")
        response = request.signed(OTHER_KEY, "abc").send()
        assert response.json()["data"]["requestRefund"]["__typename"] == "RefundRequested"
        request.check(response)
    events = [(proof["event"], proof["verified"]) for proof in proofs(office, "ABC", "REFUND")]
    assert events == [("ACCEPTED", True), ("REFUND_REQUESTED", True)]
