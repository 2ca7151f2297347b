"""Text that no field should take, SQL in every string argument, and numbers out of range: refused without a trace."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.acceptance.arguments import filled, places
from tests.acceptance.gateway import Client, Server
from tests.acceptance.operations import COLLECTED_AT, payer_id, quote
from tests.acceptance.people import CHEN, SANDBOX, ZHAO
from tests.acceptance.snapshot import snapshot

BANK, AGENCY, DECIDER = "tax-window", "social-insurance-agency", "social-insurance-refunds"
INJECTIONS = [
    "' OR '1'='1",
    "'; DROP TABLE payments; --",
    "\\'; SELECT pg_sleep(5); --",
    "$$; DELETE FROM payers; $$",
    "1); TRUNCATE receipts CASCADE; --",
    '" OR ""="',
    "%",
    "_",
    "\\",
    "{0}",
    "%s",
    "$1",
]
Call = tuple[str, str, dict[str, Any]]


def calls(text: str, payer: str, payable: str) -> dict[str, Call]:
    """Return a call for each argument that is a string or an id, with the text in it: client, document, variables."""

    def mutation(client: str, field: str, kind: str, given: dict[str, Any]) -> Call:
        return client, f"mutation ($input: {kind}!) {{ {field}(input: $input) {{ __typename }} }}", {"input": given}

    payment = {"payableId": payable, "amount": "1.00", "bankReference": "TEXT", "collectedAt": COLLECTED_AT}
    run = {"payerId": payer, "firstMonth": "2020-06", "lastMonth": "2020-06", "tier": "60"}
    bill = {
        "billNumber": "TEXT",
        "residentId": ZHAO.resident_id,
        "name": "不是他",
        "insurance": "PENSION",
        "poolingArea": "360000",
        "firstMonth": "2020-06",
        "lastMonth": "2020-06",
        "amount": "1.00",
    }
    day = {"date": "2020-11-10", "entries": [{"bankReference": text, "amount": "1.00"}]}
    assess = ("assessBills", "AssessBillsInput")
    name = "query ($id: ResidentId!, $name: String!, $after: String) { payer(residentId: $id, name: $name) { id"
    schedule = "query ($a: String) { contributionSchedule(insurance: MEDICAL, year: 2020, poolingArea: $a) { rate } }"
    chen = {"id": CHEN.resident_id, "name": CHEN.name, "after": text}
    return {
        "name": (
            BANK,
            f"{name} receipts(after: $after) {{ edges {{ cursor }} }} }} }}",
            {"id": CHEN.resident_id, "name": text},
        ),
        "receipts.after": (BANK, f"{name} receipts(after: $after) {{ edges {{ cursor }} }} }} }}", chen),
        "assessedBills.after": (BANK, f"{name} assessedBills(after: $after) {{ edges {{ cursor }} }} }} }}", chen),
        "poolingArea": (BANK, schedule, {"a": text}),
        "number": (BANK, "query ($n: String!) { receipt(number: $n) { id } }", {"n": text}),
        "id": (BANK, "query ($id: ID!) { node(id: $id) { id } }", {"id": text}),
        "ids": (BANK, "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [text]}),
        "payment.bankReference": (BANK, "query ($b: String!) { payment(bankReference: $b) { id } }", {"b": text}),
        "payments.after": (
            BANK,
            'query ($a: String) { payments(on: "2020-11-16", after: $a) { edges { cursor } } }',
            {"a": text},
        ),
        "refunds.after": (BANK, "query ($a: String) { refunds(after: $a) { edges { cursor } } }", {"a": text}),
        "events.after": (BANK, "query ($a: String) { events(after: $a) { edges { cursor } } }", {"a": text}),
        "differences.after": (
            BANK,
            'query ($a: String) { settlementDay(date: "2020-11-10") { differences(after: $a) { edges { cursor } } } }',
            {"a": text},
        ),
        "callback.url": mutation(BANK, "registerCallback", "RegisterCallbackInput", {"url": text}),
        "assessment.payerId": mutation(
            BANK,
            "requestAssessment",
            "RequestAssessmentInput",
            {"payerId": text, "firstMonth": "2019-06", "lastMonth": "2019-06"},
        ),
        "refund.bankReference": mutation(
            BANK, "requestRefund", "RequestRefundInput", {"bankReference": text, "reason": "x"}
        ),
        "refund.reason": mutation(
            BANK, "requestRefund", "RequestRefundInput", {"bankReference": "TEXT", "reason": text}
        ),
        "decide.refundId": mutation(
            DECIDER, "decideRefund", "DecideRefundInput", {"refundId": text, "approve": True, "reason": "x"}
        ),
        "decide.reason": mutation(
            DECIDER, "decideRefund", "DecideRefundInput", {"refundId": "x", "approve": False, "reason": text}
        ),
        "quote.payerId": mutation(BANK, "requestQuote", "RequestQuoteInput", run | {"payerId": text}),
        "quote.tier": mutation(BANK, "requestQuote", "RequestQuoteInput", run | {"tier": text}),
        "submit.payableId": mutation(BANK, "submitPayment", "SubmitPaymentInput", payment | {"payableId": text}),
        "submit.bankReference": mutation(
            BANK, "submitPayment", "SubmitPaymentInput", payment | {"bankReference": text}
        ),
        "submit.branch": mutation(BANK, "submitPayment", "SubmitPaymentInput", payment | {"branch": text}),
        "submit.teller": mutation(BANK, "submitPayment", "SubmitPaymentInput", payment | {"teller": text}),
        "reverse.bankReference": mutation(
            BANK, "reversePayment", "ReversePaymentInput", {"bankReference": text, "reason": "x"}
        ),
        "reverse.reason": mutation(
            BANK, "reversePayment", "ReversePaymentInput", {"bankReference": "TEXT", "reason": text}
        ),
        "reconcile.bankReference": mutation(BANK, "reconcileDay", "ReconcileDayInput", day),
        "assess.batch": mutation(AGENCY, *assess, {"batch": text, "bills": [bill]}),
        "assess.billNumber": mutation(AGENCY, *assess, {"batch": "TEXT", "bills": [bill | {"billNumber": text}]}),
        "assess.name": mutation(AGENCY, *assess, {"batch": "TEXT", "bills": [bill | {"name": text}]}),
        "assess.poolingArea": mutation(AGENCY, *assess, {"batch": "TEXT", "bills": [bill | {"poolingArea": text}]}),
        "withdraw.billNumber": mutation(
            AGENCY, "withdrawBill", "WithdrawBillInput", {"billNumber": text, "reason": "x"}
        ),
        "withdraw.reason": mutation(
            AGENCY, "withdrawBill", "WithdrawBillInput", {"billNumber": "TEXT", "reason": text}
        ),
    }


ARGUMENTS = list(calls("", "", ""))
# An id or a cursor is of our own making: what it cannot be is not there, or no cursor.
IDS = {"id", "ids", "quote.payerId", "assessment.payerId", "submit.payableId", "decide.refundId"}


@pytest.fixture(scope="module")
def bank(server: Server) -> Iterator[Client]:
    client = server.client(BANK)
    server.client(AGENCY)
    server.client(DECIDER)
    yield client
    written = server.log.read_text("utf-8", errors="surrogateescape")
    assert "Traceback" not in written
    assert "pg_sleep" not in written
    for person in SANDBOX:
        assert person.resident_id not in written
        assert person.name not in written


@pytest.fixture(scope="module")
def own(bank: Client) -> tuple[str, str]:
    return payer_id(bank, ZHAO), quote(bank, ZHAO, "2020-06", "2020-06")["id"]


def send(server: Server, call: Call) -> httpx.Response:
    """Send the call as ASCII with escapes: so a lone surrogate passes the client's own library."""
    client_id, document, variables = call
    return server.http.post(
        "/graphql",
        content=json.dumps({"query": document, "variables": variables}),
        headers={"Authorization": f"Bearer {server.client(client_id).token}", "Content-Type": "application/json"},
    )


def harmless(response: httpx.Response) -> dict[str, Any]:
    """Check that the answer is ours, and return it."""
    assert response.status_code == 200 or 400 <= response.status_code < 500, response.text
    for leak in ("Traceback", "asyncpg", "syntax error at", "pg_", "ValueError", ZHAO.resident_id, CHEN.resident_id):
        assert leak not in response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_every_argument_that_takes_text_is_tried() -> None:
    tried = {place for _, document, given in calls("!", "", "").values() for place in filled(document, given, "!")}
    assert tried == places("String", "ID")


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_sql_is_only_text(server: Server, own: tuple[str, str], sandbox_database: str, argument: str) -> None:
    before = snapshot(sandbox_database)
    for text in INJECTIONS:
        response = send(server, calls(text, *own)[argument])
        harmless(response)
        assert response.elapsed.total_seconds() < 4
    after = snapshot(sandbox_database)
    if argument == "reconcile.bankReference":
        ledger = [name for name in before if not name.startswith("settlement_")]
    else:
        ledger = list(before)
    assert {name: after[name] for name in ledger} == {name: before[name] for name in ledger}


@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize("text", ["\u0000", "a\u0000b", "\ud800", "a\udfffb", "\udc00\ud800"], ids=ascii)
def test_nul_and_lone_surrogates_are_refused_by_name(
    server: Server, own: tuple[str, str], sandbox_database: str, argument: str, text: str
) -> None:
    before = snapshot(sandbox_database)
    response = send(server, calls(text, *own)[argument])
    answer = harmless(response)
    if argument in IDS:
        found = answer.get("data")
        assert "errors" in answer or found in ({"node": None}, {"nodes": [None]}) or "NotFound" in response.text
    elif "errors" in answer:
        assert argument.split(".")[-1] in answer["errors"][0]["message"] or "JSON" in response.text, response.text
    else:
        nothing = all(value is None for value in answer["data"].values())
        assert nothing or "BillsRejected" in response.text or "TierNotOffered" in response.text, response.text
    assert snapshot(sandbox_database) == before


@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize("size", [5_000, 200_000])
def test_text_without_end_is_refused_by_name(
    server: Server, own: tuple[str, str], sandbox_database: str, argument: str, size: int
) -> None:
    before = snapshot(sandbox_database)
    response = send(server, calls("长" * size, *own)[argument])
    answer = harmless(response)
    assert len(response.content) < 2000
    if response.status_code == 413:
        return
    if argument in IDS:
        assert "errors" in answer or "null" in response.text or "NotFound" in response.text
    elif "errors" in answer:
        assert argument.split(".")[-1] in answer["errors"][0]["message"], response.text
    else:
        found = list(answer["data"].values())
        assert (
            found == [None]
            or "Rejected" in response.text
            or found[0]["__typename"] in ("TierNotOffered", "PayableNotFound")
        )
    assert snapshot(sandbox_database) == before


REFERENCES = [
    "",
    " ",
    "A B",
    " A",
    "A ",
    "A\tB",
    "A\n",
    "A\u007f",
    "A\u0001",
    "参考号",
    "Ａ",
    "é",
    "A\u00a0B",
    "x" * 65,
]


@pytest.mark.parametrize("reference", REFERENCES, ids=ascii)
def test_a_bank_reference_is_printable_ascii_without_spaces(
    server: Server, own: tuple[str, str], sandbox_database: str, reference: str
) -> None:
    before = snapshot(sandbox_database)
    for argument in ("submit.bankReference", "reconcile.bankReference"):
        answer = harmless(send(server, calls(reference, *own)[argument]))
        assert "bankReference" in answer["errors"][0]["message"], answer
    for argument in ("reverse.bankReference", "payment.bankReference"):
        answer = harmless(send(server, calls(reference, *own)[argument]))
        if "errors" in answer:
            assert "bankReference" in answer["errors"][0]["message"]
        else:
            assert answer["data"] in ({"payment": None}, {"reversePayment": {"__typename": "PaymentNotFound"}})
    assert snapshot(sandbox_database) == before


@pytest.mark.parametrize(
    "argument", ["assess.batch", "assess.billNumber", "assess.name", "reverse.reason", "withdraw.reason"]
)
def test_what_must_say_something_is_not_empty(
    server: Server, own: tuple[str, str], sandbox_database: str, argument: str
) -> None:
    before = snapshot(sandbox_database)
    response = send(server, calls("", *own)[argument])
    answer = harmless(response)
    if "errors" in answer:
        assert argument.split(".")[-1] in answer["errors"][0]["message"]
    assert "BillsAssessed" not in response.text
    assert snapshot(sandbox_database) == before


@pytest.mark.parametrize(
    "first", [0, -1, 101, 1000, 2**31 - 1, 2**31, 2**63, 10**30, 1.5, "20", True, [1, 2], {"a": 1}], ids=str
)
def test_a_page_is_one_to_a_hundred(server: Server, bank: Client, first: Any) -> None:
    document = 'query ($first: Int) { payments(on: "2020-11-16", first: $first) { edges { cursor } } }'
    answer = harmless(bank.post(document, {"first": first}))
    assert "first" in answer["errors"][0]["message"], answer
    nested = """query ($id: ResidentId!, $name: String!, $first: Int) { payer(residentId: $id, name: $name) {
      receipts(first: $first) { edges { cursor } } } }"""
    answer = harmless(bank.post(nested, {"id": CHEN.resident_id, "name": CHEN.name, "first": first}))
    assert "first" in answer["errors"][0]["message"], answer


@pytest.mark.parametrize("year", [0, -1, 10_000, 2**31 - 1, -(2**31), 2**31, "2020", 2020.5], ids=str)
def test_a_year_out_of_range_is_no_error_of_ours(server: Server, bank: Client, year: Any) -> None:
    document = "query ($y: Int!) { contributionSchedule(insurance: PENSION, year: $y) { rate } }"
    answer = harmless(bank.post(document, {"y": year}))
    assert "errors" in answer or answer["data"] == {"contributionSchedule": None}
    nested = """query ($id: ResidentId!, $name: String!, $y: Int) { payer(residentId: $id, name: $name) {
      receipts(year: $y) { edges { cursor } } } }"""
    answer = harmless(bank.post(nested, {"id": CHEN.resident_id, "name": CHEN.name, "y": year}))
    assert "errors" in answer or answer["data"]["payer"]["receipts"]["edges"] == []
