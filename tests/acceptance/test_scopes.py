"""Who may do what: a request is refused whole, before any of it has run."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.acceptance.gateway import Client, Server
from tests.acceptance.operations import REVERSE_PAYMENT, payer_id, quote, submit
from tests.acceptance.people import CHEN, LIU, ZHAO
from tests.acceptance.snapshot import snapshot

VIEWER = "{ viewer { clientId scopes } }"
QUOTE_RUN = {"firstMonth": "2020-06", "lastMonth": "2020-06", "tier": "60"}


@pytest.fixture(scope="module")
def bank(server: Server) -> Client:
    return server.client("icbc-mobile")


def refused(response: httpx.Response, *missing: str) -> None:
    """Check the whole answer of a request whose token lacks scopes."""
    assert response.status_code == 403, response.text
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert 'error="insufficient_scope"' in challenge
    assert f'scope="{" ".join(missing)}"' in challenge
    answer = response.json()
    assert not answer.get("data")
    assert answer["errors"][0]["message"]
    assert all(scope in response.text for scope in missing)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer nonsense",
        "Bearer a.b.c",
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJpY2JjLW1vYmlsZSJ9.",
        "Basic aWNiYy1tb2JpbGU6c2FuZGJveA==",
        "Token x",
        "Bearer " + "A" * 5000,
    ],
    ids=lambda value: str(value)[:20],
)
def test_no_or_a_bad_token(bank: Client, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    for body in ({"query": VIEWER}, {"query": "{ nonsense"}, {"query": "{ __typename }"}):
        response = bank.http.post("/graphql", json=body, headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert not response.json().get("data")


def test_a_token_that_was_changed_is_no_token(bank: Client) -> None:
    head, body, signature = bank.token.split(".")
    for token in (f"{head}.{body}.{signature[::-1]}", f"{head}.{body}A.{signature}", f"{head}.{body}."):
        assert replace(bank, token=token).post(VIEWER).status_code == 401


def test_the_scheme_is_written_in_any_case(bank: Client) -> None:
    for scheme in ("bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {bank.token}"}
        assert bank.http.post("/graphql", json={"query": VIEWER}, headers=headers).status_code == 200


def test_a_scope_is_asked_for_by_name(server: Server, bank: Client) -> None:
    reversal = {"input": {"bankReference": "X", "reason": "x"}}
    refused(bank.post(REVERSE_PAYMENT, reversal), "payment:reverse")
    refused(bank.post('{ settlementDay(date: "2020-11-16") { status } }'), "settlement:read")
    refused(server.client("social-insurance-agency").post('{ receipt(number: "1") { id } }'), "receipt:read")


QUOTE = '{payerId: "x", firstMonth: "2020-06", lastMonth: "2020-06", tier: "60"}'
ARREARS = '{payerId: "x", firstMonth: "2019-06", lastMonth: "2019-06"}'
PAYMENT = '{payableId: "x", amount: "1", bankReference: "X", collectedAt: "2020-11-16T09:30:00+08:00"}'
REVERSAL = '{bankReference: "X", reason: "x"}'
FIELDS = {
    "payer:read": f'{{ payer(residentId: "{CHEN.resident_id}", name: "x") {{ id }} }}',
    "payment:read": '{ payment(bankReference: "X") { id } }',
    "receipt:read": '{ receipt(number: "X") { id } }',
    "settlement:read": '{ settlementDay(date: "2020-11-16") { status } }',
    "quote:write": f"mutation {{ requestQuote(input: {QUOTE}) {{ __typename }} }}",
    "assessment:write": f"mutation {{ requestAssessment(input: {ARREARS}) {{ __typename }} }}",
    "payment:write": f"mutation {{ submitPayment(input: {PAYMENT}) {{ __typename }} }}",
    "payment:reverse": f"mutation {{ reversePayment(input: {REVERSAL}) {{ __typename }} }}",
    "settlement:write": 'mutation { reconcileDay(input: {date: "2020-11-16", entries: []}) { __typename } }',
}


@pytest.mark.parametrize("scope", FIELDS)
def test_each_field_needs_its_scope(server: Server, scope: str) -> None:
    everything = set(server.client("tax-window").run(VIEWER)["viewer"]["scopes"])
    others = server.narrowed("tax-window", " ".join(sorted(everything - {scope})))
    refused(others.post(FIELDS[scope]), scope)
    assert server.narrowed("tax-window", scope).post(FIELDS[scope]).status_code == 200


@pytest.mark.parametrize(
    "field", ['assessBills(input: {batch: "b", bills: []})', 'withdrawBill(input: {billNumber: "b", reason: "r"})']
)
def test_only_agencies_assess_bills(server: Server, field: str) -> None:
    refused(server.client("tax-window").post(f"mutation {{ {field} {{ __typename }} }}"), "bill:assess")


@pytest.mark.parametrize(
    ("scope", "selection"),
    [
        ("period:read", "payablePeriods { firstMonth }"),
        ("bill:read", "assessedBills { edges { cursor } }"),
        ("receipt:read", "receipts { edges { cursor } }"),
        ("payment:read", "assessedBills { edges { node { payment { id } } } }"),
    ],
)
def test_fields_of_a_payer_need_theirs(server: Server, scope: str, selection: str) -> None:
    others = server.narrowed("icbc-mobile", "payer:read bill:read" if scope != "bill:read" else "payer:read")
    arguments = "residentId: $residentId, name: $name"
    document = f"query ($residentId: ResidentId!, $name: String!) {{ payer({arguments}) {{ {selection} }} }}"
    refused(others.post(document, CHEN.variables), scope)
    # Even where the person is not known: it is the operation that is refused, not what it finds.
    refused(others.post(document, {**CHEN.variables, "name": "无此人"}), scope)


# What follows `mutation ($input: RequestQuoteInput!, $no: Boolean = false)`.
ONE_TOO_MANY = {
    "plain": "{ requestQuote(input: $input) { ... on Quote { id payment { id } } } }",
    "alias": "{ q: requestQuote(input: $input) { ... on Quote { id p: payment { x: id } } } }",
    "named fragment": "{ requestQuote(input: $input) { ...Q } } fragment Q on Quote { id payment { id } }",
    "nested fragments": "{ requestQuote(input: $input) { ...A } } fragment A on Quote { ... on Payable { ...B } }"
    " fragment B on Payable { id ... on Quote { ...C } } fragment C on Quote { payment { id } }",
    "inline": "{ requestQuote(input: $input) { ... { ... on Node { ... on Quote { id payment { id } } } } } }",
    "include": "{ requestQuote(input: $input) { ... on Quote { id payment @include(if: true) { id } } } }",
    "skip": "{ requestQuote(input: $input) { ... on Quote { id payment @skip(if: $no) { id } } } }",
    "skipped fragment": "{ requestQuote(input: $input) { ... on Quote @skip(if: $no) { payment { id } } } }",
    "after": f"{{ requestQuote(input: $input) {{ __typename }} reversePayment(input: {REVERSAL}) {{ __typename }} }}",
    "before": f"{{ reversePayment(input: {REVERSAL}) {{ __typename }} requestQuote(input: $input) {{ __typename }} }}",
    "root fragment": "{ requestQuote(input: $input) { __typename } ...M }"
    f" fragment M on Mutation {{ reversePayment(input: {REVERSAL}) {{ __typename }} }}",
}


@pytest.mark.parametrize("case", ONE_TOO_MANY)
def test_nothing_of_an_operation_with_one_field_too_many_has_run(
    server: Server, sandbox_database: str, case: str
) -> None:
    client = server.narrowed("icbc-mobile", "payer:read quote:write")
    run = QUOTE_RUN | {"payerId": payer_id(client, ZHAO)}
    before = snapshot(sandbox_database)
    declared = "$input: RequestQuoteInput!" + (", $no: Boolean = false" if "$no" in ONE_TOO_MANY[case] else "")
    response = client.post(f"mutation ({declared}) {ONE_TOO_MANY[case]}", {"input": run})
    refused(response, "payment:reverse" if "reversePayment" in ONE_TOO_MANY[case] else "payment:read")
    assert snapshot(sandbox_database) == before


def test_no_payment_is_half_answered(server: Server, sandbox_database: str) -> None:
    bank = server.client("icbc-mobile")
    payable = quote(bank, LIU, "2020-01", "2020-01")
    teller = server.narrowed("icbc-mobile", "payment:write")
    document = """mutation ($input: SubmitPaymentInput!) { submitPayment(input: $input) {
      ... on PaymentAccepted { payment { id receipt { number } } } } }"""
    payment = {
        "payableId": payable["id"],
        "amount": "605.00",
        "bankReference": "HALF",
        "collectedAt": "2020-11-16T09:30:00+08:00",
    }
    before = snapshot(sandbox_database)
    refused(teller.post(document, {"input": payment}), "receipt:read")
    assert snapshot(sandbox_database) == before
    assert submit(bank, payable, "HALF")["replayed"] is False


def test_only_the_operation_that_runs_is_checked(server: Server) -> None:
    client = server.narrowed("icbc-mobile", "payer:read")
    document = """query Mine { viewer { clientId } } query Others { payment(bankReference: "X") { id } }"""

    def ask(name: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {client.token}"}
        return client.http.post("/graphql", json={"query": document, "operationName": name}, headers=headers)

    for _ in range(2):
        assert ask("Mine").json()["data"] == {"viewer": {"clientId": "icbc-mobile"}}
        refused(ask("Others"), "payment:read")


def test_a_document_seen_before_is_checked_again(server: Server, bank: Client) -> None:
    """A cache of documents is no way around: whoever asks next is checked by their own token."""
    document = '{ payment(bankReference: "CACHED") { id } }'
    assert bank.post(document).status_code == 200
    refused(server.narrowed("icbc-mobile", "payer:read").post(document), "payment:read")
    assert bank.post(document).status_code == 200


def test_what_needs_no_scope_is_open_to_every_token(server: Server) -> None:
    client = server.narrowed("icbc-mobile", "payer:read")
    document = """{ __typename viewer { scopes institution { name } }
      contributionSchedule(insurance: PENSION, year: 2020) { rate } node(id: "x") { id } nodes(ids: []) { id } }"""
    found = client.run(document)
    assert found["viewer"]["scopes"] == ["payer:read"]
    assert found["contributionSchedule"]["rate"] == "0.20"


def test_a_token_can_be_narrowed_and_not_widened(server: Server) -> None:
    narrow = server.token("icbc-mobile", scope="payer:read")
    assert narrow.json()["scope"] == "payer:read"
    assert narrow.json()["token_type"] == "Bearer"
    assert narrow.json()["expires_in"] == 600
    for scope in ("payer:read settlement:write", "bill:assess", "nonsense"):
        wide = server.token("icbc-mobile", scope=scope)
        assert (wide.status_code, wide.json()["error"]) == (400, "invalid_scope"), scope


@pytest.mark.parametrize(
    ("client_id", "secret"), [("icbc-mobile", "wrong"), ("nobody", "sandbox"), ("icbc-mobile", "")]
)
def test_a_wrong_secret_and_an_unknown_client_cannot_be_told_apart(server: Server, client_id: str, secret: str) -> None:
    answer = server.token(client_id, secret)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert answer.json() == server.token("icbc-mobile", "wrong").json()


def test_other_grants_are_refused(server: Server) -> None:
    for grant in ("password", "authorization_code", "refresh_token", "x"):
        answer = server.token("icbc-mobile", grant_type=grant)
        assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type"), grant


def test_a_revoked_token_is_no_token(server: Server) -> None:
    client = server.narrowed("ganfutong", "payer:read")
    assert client.post(VIEWER).status_code == 200
    revoked = server.http.post("/oauth/revoke", auth=("ganfutong", "sandbox"), data={"token": client.token})
    assert revoked.status_code == 200
    response = client.post(VIEWER)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')


def test_the_server_describes_itself(server: Server) -> None:
    metadata: dict[str, Any] = server.http.get("/.well-known/oauth-authorization-server").json()
    assert metadata["token_endpoint"] == f"{server.base_url}/oauth/token"
    assert "client_credentials" in metadata["grant_types_supported"]
    keys = server.http.get("/.well-known/jwks.json").json()["keys"]
    assert keys
    assert all("d" not in key for key in keys)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_clients_authenticate_by_their_secret(server: Server, method: str) -> None:
    metadata = server.http.get("/.well-known/oauth-authorization-server").json()
    assert method in metadata["token_endpoint_auth_methods_supported"]
