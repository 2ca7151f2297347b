"""Bad identity numbers, months, amounts and days, as literals and as variables: named, and without a trace."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.bad_values import AMOUNTS, DATES, FULL_WIDTH, MOMENTS, MONTHS, RESIDENT_IDS
from tests.acceptance.gateway import Client, Server
from tests.acceptance.operations import COLLECTED_AT, payer_id, quote
from tests.acceptance.people import CHEN, SANDBOX, ZHAO
from tests.acceptance.snapshot import snapshot

SUBMIT = "mutation ($input: SubmitPaymentInput!) { submitPayment(input: $input) { __typename } }"
QUOTE = "mutation ($input: RequestQuoteInput!) { requestQuote(input: $input) { __typename } }"
ASSESS = "mutation ($input: RequestAssessmentInput!) { requestAssessment(input: $input) { __typename } }"
RECONCILE = "mutation ($input: ReconcileDayInput!) { reconcileDay(input: $input) { __typename } }"
BILLS = "mutation ($input: AssessBillsInput!) { assessBills(input: $input) { __typename } }"
PAYER = "query ($residentId: ResidentId!, $name: String!) { payer(residentId: $residentId, name: $name) { id } }"
PAYMENTS = "query ($on: Date!) { payments(on: $on) { edges { cursor } } }"
DAY = "query ($date: Date!) { settlementDay(date: $date) { status } }"


@pytest.fixture(scope="module")
def bank(server: Server) -> Iterator[Client]:
    client = server.client("tax-window")
    server.client("social-insurance-agency")
    yield client
    written = server.log.read_text("utf-8")
    assert "Traceback" not in written
    for person in SANDBOX:
        assert person.resident_id not in written
        assert person.resident_id[:-1] not in written
        assert person.name not in written


def literal(value: Any) -> str:
    """Write a value as GraphQL does; an object's keys stand bare."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {literal(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    # Characters outside the document's own are escaped, as a client's library would.
    return json.dumps(value, ensure_ascii=True).replace("\\u0000", "\\u0000")


def check(client: Client, response: Any, field: str, value: Any) -> None:
    """Check that the request was refused by name, without an echo and without a stack trace."""
    text = response.text
    assert 400 <= response.status_code < 500 or response.status_code == 200, text
    answer = response.json()
    assert answer.get("errors"), text
    assert not any((answer.get("data") or {}).values()), text
    messages = " ".join(error["message"] for error in answer["errors"])
    assert field in messages, text
    assert len(text) < 5000
    for leak in ("Traceback", "asyncpg", "decimal.", "ValueError", "TypeError", 'File \\"'):
        assert leak not in text
    readable = json.dumps(answer, ensure_ascii=False)
    for secret in ("369999198503120010", "36999919850312001", CHEN.name, CHEN.resident_id.translate(FULL_WIDTH)):
        assert secret not in text
        assert secret not in readable
    if field == "residentId" and isinstance(value, str) and len(value) > 8:
        assert value.strip() not in readable


def both(
    client: Client, document: str, variables: dict[str, Any], inline: str, field: str, value: Any, database: str
) -> None:
    before = snapshot(database)
    check(client, client.post(document, variables), field, value)
    check(client, client.post(inline), field, value)
    assert snapshot(database) == before


@pytest.mark.parametrize("value", RESIDENT_IDS, ids=ascii)
def test_a_bad_identity_number(bank: Client, sandbox_database: str, value: Any) -> None:
    inline = f'{{ payer(residentId: {literal(value)}, name: "{CHEN.name}") {{ id }} }}'
    both(bank, PAYER, {"residentId": value, "name": CHEN.name}, inline, "residentId", value, sandbox_database)


@pytest.mark.parametrize("value", RESIDENT_IDS, ids=ascii)
def test_a_bad_identity_number_in_a_bill(server: Server, bank: Client, sandbox_database: str, value: Any) -> None:
    bill = {
        "billNumber": "BAD",
        "residentId": value,
        "name": CHEN.name,
        "poolingArea": "360000",
        "firstMonth": "2020-06",
        "lastMonth": "2020-06",
        "amount": "605.00",
    }
    written = literal(bill)[:-1] + ", insurance: PENSION}"
    inline = f'mutation {{ assessBills(input: {{batch: "BAD", bills: [{written}]}}) {{ __typename }} }}'
    variables = {"input": {"batch": "BAD", "bills": [bill | {"insurance": "PENSION"}]}}
    agency = server.client("social-insurance-agency")
    both(agency, BILLS, variables, inline, "residentId", value, sandbox_database)


@pytest.mark.parametrize("field", ["firstMonth", "lastMonth"])
@pytest.mark.parametrize("value", MONTHS, ids=ascii)
def test_a_bad_month(bank: Client, sandbox_database: str, value: Any, field: str) -> None:
    run = {"payerId": payer_id(bank, ZHAO), "firstMonth": "2020-06", "lastMonth": "2020-12", field: value}
    inline = f"mutation {{ requestQuote(input: {literal(run | {'tier': '60'})}) {{ __typename }} }}"
    both(bank, QUOTE, {"input": run | {"tier": "60"}}, inline, field, value, sandbox_database)
    inline = f"mutation {{ requestAssessment(input: {literal(run)}) {{ __typename }} }}"
    both(bank, ASSESS, {"input": run}, inline, field, value, sandbox_database)


@pytest.mark.parametrize("value", AMOUNTS, ids=lambda value: ascii(value)[:30])
def test_a_bad_amount(bank: Client, payable: str, sandbox_database: str, value: Any) -> None:
    payment = {"payableId": payable, "amount": value, "bankReference": "BAD", "collectedAt": COLLECTED_AT}
    inline = f"mutation {{ submitPayment(input: {literal(payment)}) {{ __typename }} }}"
    both(bank, SUBMIT, {"input": payment}, inline, "amount", value, sandbox_database)
    if value in ("0", "0.00"):
        return  # In a bank's list of the day zero is no money that is paid here.
    day = {"date": "2020-11-16", "entries": [{"bankReference": "BAD", "amount": value}]}
    inline = f"mutation {{ reconcileDay(input: {literal(day)}) {{ __typename }} }}"
    both(bank, RECONCILE, {"input": day}, inline, "amount", value, sandbox_database)


@pytest.mark.parametrize("value", DATES, ids=ascii)
def test_a_bad_date(bank: Client, sandbox_database: str, value: Any) -> None:
    inline = f"{{ payments(on: {literal(value)}) {{ edges {{ cursor }} }} }}"
    both(bank, PAYMENTS, {"on": value}, inline, "on", value, sandbox_database)
    inline = f"{{ settlementDay(date: {literal(value)}) {{ status }} }}"
    both(bank, DAY, {"date": value}, inline, "date", value, sandbox_database)
    day = {"date": value, "entries": []}
    inline = f"mutation {{ reconcileDay(input: {literal(day)}) {{ __typename }} }}"
    both(bank, RECONCILE, {"input": day}, inline, "date", value, sandbox_database)


@pytest.mark.parametrize("value", MOMENTS, ids=ascii)
def test_a_bad_moment(bank: Client, payable: str, sandbox_database: str, value: Any) -> None:
    payment = {"payableId": payable, "amount": "605.00", "bankReference": "BAD", "collectedAt": value}
    inline = f"mutation {{ submitPayment(input: {literal(payment)}) {{ __typename }} }}"
    both(bank, SUBMIT, {"input": payment}, inline, "collectedAt", value, sandbox_database)


@pytest.fixture(scope="module")
def payable(bank: Client) -> str:
    identity: str = quote(bank, ZHAO, "2020-06", "2020-06")["id"]
    return identity


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:59.999999999Z",
        "2020-11-16T09:30:60+08:00",
        "2020-11-16T24:00:00+08:00",
    ],
)
def test_a_moment_at_the_edge_is_no_error_of_ours(bank: Client, payable: str, moment: str) -> None:
    payment = {"payableId": payable, "amount": "1.00", "bankReference": "EDGE", "collectedAt": moment}
    response = bank.post(SUBMIT, {"input": payment})
    assert response.status_code < 500
    if "errors" in response.json():
        assert "collectedAt" in response.json()["errors"][0]["message"], response.text


@pytest.mark.parametrize(
    "moment", ["2020-11-16t09:30:00z", "2020-11-16T09:30:00.123456+08:00", "2020-11-16T09:30:00-00:00"]
)
def test_what_rfc_3339_allows_is_a_moment(bank: Client, moment: str) -> None:
    payable = quote(bank, ZHAO, "2020-07", "2020-07")["id"]
    payment = {"payableId": payable, "amount": "1.00", "bankReference": "GOOD", "collectedAt": moment}
    assert bank.run(SUBMIT, input=payment)["submitPayment"]["__typename"] == "AmountMismatch"
