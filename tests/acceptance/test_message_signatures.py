"""What moves money, signed by the bank and answered signed: the code of docs/signatures.md signs and checks."""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from joserfc.jwk import ECKey

from tests.acceptance.gateway import Client, Server, gateway, serving
from tests.acceptance.operations import COLLECTED_AT, PAYMENT_OF, REVERSE_PAYMENT, SUBMIT_PAYMENT, Answer, quote
from tests.acceptance.people import Office, Person
from tests.docs.pages import ROOT, fenced

KEY = ECKey.generate_key("P-256")
OTHER_KEY = ECKey.generate_key("P-256")
KEYID = "icbc-2020"

REQUEST_REFUND = """mutation ($input: RequestRefundInput!) { requestRefund(input: $input) {
  __typename ... on RefundRequested { refund { id } }
} }"""


def shown() -> dict[str, Any]:
    """Run the page's Python, and return what it defines."""
    (code,) = fenced(ROOT / "docs" / "signatures.md", "python")
    names: dict[str, Any] = {}
    exec(compile(code, "docs/signatures.md", "exec"), names)  # noqa: S102 -- the page's own code is what is tested
    return names


PAGE = shown()


def register(office: Office, client_id: str, *keys: dict[str, Any]) -> None:
    file = office.directory / f"{client_id}.json"
    file.write_text(json.dumps({"keys": keys}))
    done = gateway("clients", "signing-keys", client_id, str(file), **office.settings)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def icbc(server: Server, office: Office) -> Client:
    """A client that signs if it likes."""
    register(office, "icbc-mobile", KEY.as_dict(private=False, kid=KEYID))
    return server.client("icbc-mobile")


@pytest.fixture(scope="module")
def abc(server: Server, office: Office) -> Client:
    """A client whose institution must sign."""
    register(office, "abc-counter", OTHER_KEY.as_dict(private=False, kid="abc"))
    done = gateway("institutions", "require-signatures", "ABC", **office.settings)
    assert done.stdout == "ABC must sign what moves money\n"
    return server.client("abc-counter")


class Request:
    """One POST of a body, signed or not, with what a test changes about it afterwards."""

    def __init__(self, client: Client, query: str, **variables: Any) -> None:
        self.client = client
        self.url = f"{client.base_url}/graphql"
        self.body = json.dumps({"query": query, "variables": variables}).encode()
        self.headers: dict[str, Any] = {"authorization": f"Bearer {client.token}", "content-type": "application/json"}

    def signed(self, key: ECKey = KEY, keyid: str = KEYID) -> "Request":
        self.headers |= PAGE["sign"](key.private_key, keyid, self.url, self.headers, self.body)
        return self

    def send(self) -> httpx.Response:
        return self.client.http.post("/graphql", content=self.body, headers=self.headers)

    def check(self, response: httpx.Response) -> None:
        jwks = self.client.http.get("/.well-known/jwks.json").json()
        PAGE["check"](jwks, self.url, self.headers, response.status_code, response.headers, response.content)


def payment_of(client: Client, payable: Answer, reference: str) -> Request:
    payment = {"payableId": payable["id"], "amount": payable["amount"], "bankReference": reference}
    return Request(client, SUBMIT_PAYMENT, input={**payment, "collectedAt": COLLECTED_AT})


def reversal_of(client: Client, reference: str) -> Request:
    return Request(client, REVERSE_PAYMENT, input={"bankReference": reference, "reason": "付错了"})


def a_payment(client: Client, people: Iterator[Person], reference: str) -> Request:
    return payment_of(client, quote(client, next(people), "2020-01", "2020-12"), reference)


def proofs(office: Office, institution: str, reference: str, status: int = 0) -> list[dict[str, Any]]:
    done = gateway("payments", "signature", institution, reference, **office.settings)
    assert done.returncode == status, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return found


def is_refused(response: httpx.Response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == code
    assert "data" not in response.json()
    assert '"@method"' in response.headers["accept-signature"]


def is_recorded(client: Client, reference: str) -> bool:
    return client.run(PAYMENT_OF, bankReference=reference)["payment"] is not None


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


def _another_body(request: Request) -> None:
    request.body = request.body.replace(b"09:30", b"09:31")


def _another_digest(request: Request) -> None:
    _another_body(request)
    request.headers["content-digest"] = PAGE["digest"](request.body)


def _no_digest(request: Request) -> None:
    del request.headers["content-digest"]


def _another_content_type(request: Request) -> None:
    request.headers["content-type"] = "application/json; charset=utf-8"


def _another_token(request: Request) -> None:
    form = {"grant_type": "client_credentials"}
    answer = request.client.http.post("/oauth/token", auth=("icbc-mobile", "sandbox"), data=form)
    request.headers["authorization"] = f"Bearer {answer.json()['access_token']}"


def _another_url(request: Request) -> None:
    request.url += "?a=b"
    request.signed()


def _by_the_host_header(request: Request) -> None:
    """Sign for another host and say that this is it."""
    request.url = "http://gateway.example/graphql"
    request.signed()
    request.headers["host"] = "gateway.example"


def _unknown_key(request: Request) -> None:
    request.signed(keyid="another")


def _another_clients_key(request: Request) -> None:
    request.signed(OTHER_KEY, "abc")


def _another_key_under_this_name(request: Request) -> None:
    request.signed(OTHER_KEY)


def _old(request: Request) -> None:
    _at(request, -331)


def _of_the_future(request: Request) -> None:
    _at(request, 60)


def _at(request: Request, seconds: float) -> None:
    now = PAGE["time"].time

    class Clock:
        @staticmethod
        def time() -> float:
            return float(now() + seconds)

    whole, PAGE["time"] = PAGE["time"], Clock
    try:
        request.signed()
    finally:
        PAGE["time"] = whole


def _without_created(request: Request) -> None:
    _input_without(request, request.headers["signature-input"].split(";")[1] + ";")


def _without_authorization(request: Request) -> None:
    _input_without(request, ' "authorization"')


def _without_target(request: Request) -> None:
    _input_without(request, ' "@target-uri"')


def _input_without(request: Request, part: str) -> None:
    assert part in request.headers["signature-input"]
    request.headers["signature-input"] = request.headers["signature-input"].replace(part, "")


def _another_algorithm(request: Request) -> None:
    request.headers["signature-input"] += ';alg="hmac-sha256"'


def _input_alone(request: Request) -> None:
    del request.headers["signature"]


def _signature_alone(request: Request) -> None:
    del request.headers["signature-input"]


def _two(request: Request) -> None:
    for name in ("signature-input", "signature"):
        one = request.headers[name]
        request.headers[name] = f"{one}, {one.replace('bank', 'again')}"


def _nonsense(request: Request) -> None:
    request.headers["signature"] = "bank=:é:".encode("latin-1")


CHANGES = [
    _another_body,
    _another_digest,
    _no_digest,
    _another_content_type,
    _another_token,
    _another_url,
    _by_the_host_header,
    _unknown_key,
    _another_clients_key,
    _another_key_under_this_name,
    _old,
    _of_the_future,
    _without_created,
    _without_authorization,
    _without_target,
    _another_algorithm,
    _input_alone,
    _signature_alone,
    _two,
    _nonsense,
]


@pytest.fixture(scope="module")
def payable(icbc: Client, people: Iterator[Person]) -> Answer:
    return quote(icbc, next(people), "2020-01", "2020-12")


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_a_signature_that_does_not_hold_is_refused_and_nothing_has_run(
    icbc: Client, abc: Client, payable: Answer, change: Any
) -> None:
    request = payment_of(icbc, payable, "CHANGED").signed()
    change(request)
    response = request.send()
    is_refused(response, 401, "SIGNATURE_INVALID")
    assert "invalid_token" not in response.headers["www-authenticate"]
    assert icbc.token not in response.text
    assert not is_recorded(icbc, "CHANGED")


def test_a_wrong_signature_is_refused_for_any_operation(icbc: Client) -> None:
    request = Request(icbc, "{ viewer { clientId } }").signed()
    assert request.send().status_code == 200
    request.body += b" "
    is_refused(request.send(), 401, "SIGNATURE_INVALID")


def test_a_digest_alone_is_compared(icbc: Client) -> None:
    request = Request(icbc, "{ viewer { clientId } }")
    request.headers["content-digest"] = PAGE["digest"](request.body)
    assert request.send().status_code == 200
    request.headers["content-digest"] = PAGE["digest"](b"another")
    is_refused(request.send(), 400, "CONTENT_DIGEST_INVALID")


def test_what_is_kept_has_a_limit(icbc: Client) -> None:
    request = Request(icbc, "{ viewer { clientId } }", padding="x" * 65_536).signed()
    is_refused(request.send(), 413, "SIGNATURE_INVALID")


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
