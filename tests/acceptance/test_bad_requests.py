"""Requests that are no operation: invalid JSON, unknown operations, bodies and documents without end, and echoes."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.acceptance.gateway import Client, Server
from tests.acceptance.people import CHEN, SANDBOX
from tests.acceptance.snapshot import snapshot

VIEWER = "{ viewer { clientId } }"
JSON = "application/json"
RESPONSE = "application/graphql-response+json"
NUMBER = CHEN.resident_id


@pytest.fixture(scope="module")
def bank(server: Server, sandbox_database: str) -> Iterator[Client]:
    client = server.client("tax-window")
    before = snapshot(sandbox_database)
    yield client
    assert snapshot(sandbox_database) == before
    written = server.log.read_text("utf-8", errors="surrogateescape")
    assert "Traceback" not in written
    for person in SANDBOX:
        assert person.resident_id not in written
        assert person.name not in written
    assert client.run(VIEWER)["viewer"]["clientId"] == "tax-window"
    metrics = client.http.get("/metrics").text
    assert NUMBER not in metrics


def send(bank: Client, content: bytes | str, content_type: str | None = JSON, **headers: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {bank.token}", "Accept": RESPONSE, **headers}
    if content_type is not None:
        headers["Content-Type"] = content_type
    return bank.http.post("/graphql", content=content, headers=headers)


def refused(response: httpx.Response, *statuses: int) -> str:
    """Check that the request was refused with errors and no data, and return the first message."""
    assert response.status_code in (statuses or (400,)), (response.status_code, response.text[:300])
    assert "Traceback" not in response.text
    assert NUMBER not in response.text
    assert CHEN.name not in json.dumps(response.json(), ensure_ascii=False)
    answer = response.json()
    assert not answer.get("data")
    message: str = answer["errors"][0]["message"]
    assert message
    return message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"query": }',
        b"{'query': '{ viewer { clientId } }'}",
        b'{"query": "{ viewer { clientId } }"} trailing',
        b"\xff\xfe",
        b'{"query": "\xff"}',
        b"null",
        b"true",
        b"1",
        b'"{ viewer { clientId } }"',
        b"[]",
        b"{}",
        b'{"query": null}',
        b'{"query": 1}',
        b'{"query": ["{ viewer { clientId } }"]}',
        b'{"query": ""}',
        b'{"query": "   "}',
        b'{"query": "# nothing"}',
        b'{"query": "{ viewer { clientId } }", "variables": "x"}',
        b'{"query": "{ viewer { clientId } }", "variables": [1]}',
        b'{"query": "{ viewer { clientId } }", "variables": 1}',
        b'{"query": "{ viewer { clientId } }", "operationName": 1}',
        b'{"query": "{ viewer { clientId } }", "operationName": ["x"]}',
        b'{"query": "{ viewer { clientId } }", "extensions": "x"}',
        b'{"query": "{ viewer { clientId } }", "variables": {"x": NaN}}',
        b"[" * 100_000,
        b'{"query": "{ viewer { clientId } }", "variables": {"x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}}",
        b'{"variables": {"name": "' + CHEN.name.encode() + b'", "residentId": "' + NUMBER.encode() + b'"}',
    ],
    ids=lambda body: ascii(body)[:50],
)
def test_what_is_no_request(bank: Client, body: bytes) -> None:
    refused(send(bank, body))


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/graphql",
        "application/jsonx",
    ],
)
def test_another_content_type(bank: Client, content_type: str | None) -> None:
    refused(send(bank, json.dumps({"query": VIEWER}), content_type), 415, 400)


@pytest.mark.parametrize(
    "content_type", [JSON, "application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"']
)
def test_json_however_it_is_written(bank: Client, content_type: str) -> None:
    assert send(bank, json.dumps({"query": VIEWER}), content_type).status_code == 200


def test_other_methods(bank: Client) -> None:
    headers = {"Authorization": f"Bearer {bank.token}"}
    query = f'{{ payer(residentId: "{NUMBER}", name: "{CHEN.name}") {{ id }} }}'
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        response = bank.http.request(method, "/graphql", params={"query": query}, headers=headers)
        assert response.status_code == 405
        assert "POST" in response.headers["allow"]
        assert NUMBER not in response.text


def test_batches_are_refused(bank: Client) -> None:
    for batch in ([{"query": VIEWER}], [{"query": VIEWER}] * 1000):
        refused(send(bank, json.dumps(batch)))


def test_a_body_without_end(bank: Client) -> None:
    for size in (20_000_000,):
        body = json.dumps({"query": VIEWER, "variables": {"x": "x" * size}})
        refused(send(bank, body), 413, 400)

        def chunks(size: int = size) -> Iterator[bytes]:
            for _ in range(size // 100_000):
                yield b" " * 100_000

        headers = {"Authorization": f"Bearer {bank.token}", "Content-Type": JSON}
        try:
            response = bank.http.post("/graphql", content=chunks(), headers=headers)
        except httpx.TransportError:
            continue  # It hung up in the middle, as it may.
        refused(response, 413, 400)


def test_the_answers_type_is_the_one_asked_for(bank: Client) -> None:
    for accept in (JSON, RESPONSE):
        good = bank.post(VIEWER, Accept=accept)
        assert good.headers["content-type"].startswith(accept)
        assert good.status_code == 200
    bad = bank.post("{ nothing }", Accept=RESPONSE)
    assert (bad.status_code, "data" in bad.json()) == (400, False)


@pytest.mark.parametrize("name", ["Nothing", "", "mine", NUMBER, CHEN.name, "x" * 100_000], ids=lambda n: ascii(n)[:20])
def test_an_unknown_operation(bank: Client, name: str) -> None:
    body = {"query": "query Mine { viewer { clientId } } query Other { __typename }", "operationName": name}
    message = refused(send(bank, json.dumps(body)))
    assert "operation" in message.lower()
    assert len(message) < 1000


def test_which_operation_must_be_said(bank: Client) -> None:
    refused(send(bank, json.dumps({"query": "query A { __typename } query B { __typename }"})))
    refused(send(bank, json.dumps({"query": "fragment F on Viewer { clientId }"})))
    refused(send(bank, json.dumps({"query": "subscription { viewer { clientId } }"})))


DOCUMENTS = {
    "syntax": "{ viewer { clientId }",
    "unknown field": "{ viewer { clientId secret } }",
    "unknown root": "{ everything }",
    "unknown argument": '{ payment(bankReference: "X", all: true) { id } }',
    "missing argument": "{ payment { id } }",
    "unknown type": "query ($x: Nothing) { viewer { clientId } }",
    "no selection": "{ viewer }",
    "selection of a leaf": "{ viewer { clientId { x } } }",
    "unknown fragment": "{ viewer { ...F } }",
    "cycle": "{ viewer { ...F } } fragment F on Viewer { ...F }",
    "unknown directive": "{ viewer { clientId @nothing } }",
    "undeclared variable": "{ payment(bankReference: $x) { id } }",
    "wrong variable type": "query ($x: Int!) { payment(bankReference: $x) { id } }",
    "unknown enum value": "{ contributionSchedule(insurance: LIFE, year: 2020) { rate } }",
    "enum as string": '{ contributionSchedule(insurance: "PENSION", year: 2020) { rate } }',
    "nested without end": "{ viewer " + "{ institution " * 5_000 + "{ code }" + " }" * 5_000 + " }",
    "lists without end": "{ nodes(ids: " + "[" * 5_000 + "]" * 5_000 + ") { id } }",
    "tokens without end": "{ " + "viewer { clientId } " * 20_000 + "}",
    "aliases without end": "{ " + " ".join(f"a{n}: viewer {{ clientId }}" for n in range(5_000)) + " }",
    "directives without end": "{ viewer { clientId " + "@skip(if: false) " * 5_000 + "} }",
    "fragments without end": "{ viewer { ...F0 } } "
    + " ".join(f"fragment F{n} on Viewer {{ ...F{n + 1} }}" for n in range(3_000))
    + " fragment F3000 on Viewer { clientId }",
    "fragments that double": "{ viewer { ...F0 } } "
    + " ".join(
        f"fragment F{n} on Viewer {{ a{n}: institution {{ code }} ...F{n + 1} ...F{n + 1} }}" for n in range(300)
    )
    + " fragment F300 on Viewer { clientId }",
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_document_that_is_not_valid(bank: Client, case: str) -> None:
    response = send(bank, json.dumps({"query": DOCUMENTS[case]}), JSON, Accept=RESPONSE)
    refused(response, 400, 413)
    assert len(response.content) < 20_000


ECHOES: dict[str, dict[str, Any]] = {
    "number literal": {"query": f'{{ payer(residentId: {NUMBER}, name: "{CHEN.name}") {{ id }} }}'},
    "list literal": {"query": f'{{ payer(residentId: ["{NUMBER}"], name: "{CHEN.name}") {{ id }} }}'},
    "object literal": {"query": f'{{ payer(residentId: {{is: "{NUMBER}"}}, name: "{CHEN.name}") {{ id }} }}'},
    "enum literal": {"query": f'{{ payer(residentId: X{NUMBER}, name: "{CHEN.name}") {{ id }} }}'},
    "name as list": {"query": f'{{ payer(residentId: "{NUMBER}", name: ["{CHEN.name}"]) {{ id }} }}'},
    "name unquoted": {"query": f'{{ payer(residentId: "{NUMBER}", name: {CHEN.name}) {{ id }} }}'},
    "string not closed": {"query": f'{{ payer(residentId: "{NUMBER}, name: "{CHEN.name}") {{ id }} }}'},
    "bad escape": {"query": f'{{ payer(residentId: "{NUMBER}\\q", name: "{CHEN.name}") {{ id }} }}'},
    "number with letters": {"query": f"{{ payer(residentId: {NUMBER}X, name: 1) {{ id }} }}"},
    "number with zero before": {"query": f"{{ payer(residentId: 0{NUMBER}, name: 1) {{ id }} }}"},
    "unknown argument": {"query": f'{{ payer(residentId: "{NUMBER}", nam: "{CHEN.name}") {{ id }} }}'},
    "field": {"query": f"{{ x{NUMBER} }}"},
    "field of payer": {"query": f'{{ payer(residentId: "{NUMBER}", name: "x") {{ x{NUMBER} }} }}'},
    "alias": {"query": f"{{ viewer {{ x{NUMBER}: nothing }} }}"},
    "argument name": {"query": f'{{ payer(x{NUMBER}: "x") {{ id }} }}'},
    "directive": {"query": f"{{ viewer {{ clientId @x{NUMBER} }} }}"},
    "fragment": {"query": f"{{ viewer {{ ...x{NUMBER} }} }}"},
    "type": {"query": f"query ($x: x{NUMBER}) {{ viewer {{ clientId }} }}"},
    "variable": {"query": f"{{ payment(bankReference: $x{NUMBER}) {{ id }} }}"},
    "enum": {"query": f"{{ contributionSchedule(insurance: X{NUMBER}, year: 2020) {{ rate }} }}"},
    "year": {"query": f"{{ contributionSchedule(insurance: PENSION, year: {NUMBER}) {{ rate }} }}"},
    "first": {"query": f'{{ payments(on: "2020-11-16", first: {NUMBER}) {{ edges {{ cursor }} }} }}'},
    "after": {"query": f'{{ payments(on: "2020-11-16", after: "{NUMBER}") {{ edges {{ cursor }} }} }}'},
    "date": {"query": f'{{ payments(on: "{NUMBER}") {{ edges {{ cursor }} }} }}'},
    "boolean": {"query": f'{{ viewer {{ clientId @skip(if: "{NUMBER}") }} }}'},
    "operation": {"query": VIEWER, "operationName": NUMBER},
    "variables as text": {"query": VIEWER, "variables": NUMBER},
    "query": {"query": NUMBER},
    "query as name": {"query": CHEN.name},
    "month": {
        "query": "mutation ($i: RequestQuoteInput!) { requestQuote(input: $i) { __typename } }",
        "variables": {"i": {"payerId": "x", "firstMonth": NUMBER, "lastMonth": NUMBER, "tier": "60"}},
    },
    "amount": {
        "query": "mutation ($i: ReconcileDayInput!) { reconcileDay(input: $i) { __typename } }",
        "variables": {"i": {"date": "2020-11-16", "entries": [{"bankReference": "X", "amount": NUMBER}]}},
    },
    "input field": {
        "query": "mutation ($i: RequestQuoteInput!) { requestQuote(input: $i) { __typename } }",
        "variables": {"i": {NUMBER: 1, CHEN.name: 2}},
    },
    "enum variable": {
        "query": "query ($i: Insurance!) { contributionSchedule(insurance: $i, year: 2020) { rate } }",
        "variables": {"i": NUMBER},
    },
    "int variable": {
        "query": "query ($y: Int!) { contributionSchedule(insurance: PENSION, year: $y) { rate } }",
        "variables": {"y": NUMBER},
    },
    "string variable": {
        "query": "query ($b: String!) { payment(bankReference: $b) { id } }",
        "variables": {"b": [NUMBER, CHEN.name]},
    },
    "id variable": {"query": "query ($id: ID!) { node(id: $id) { id } }", "variables": {"id": {"is": NUMBER}}},
    "boolean variable": {
        "query": "query ($b: Boolean!) { viewer { clientId @skip(if: $b) } }",
        "variables": {"b": NUMBER},
    },
    "default": {"query": f'query ($x: ResidentId = "{NUMBER}0") {{ payer(residentId: $x, name: "x") {{ id }} }}'},
    "bank reference": {"query": f'{{ payment(bankReference: "{NUMBER} {CHEN.name}") {{ id }} }}'},
}


@pytest.mark.parametrize("case", ECHOES)
def test_no_error_echoes_a_number_or_a_name(bank: Client, case: str) -> None:
    for accept in (JSON, RESPONSE):
        response = send(bank, json.dumps(ECHOES[case]), JSON, Accept=accept)
        assert response.status_code in (200, 400)
        readable = json.dumps(response.json(), ensure_ascii=False)
        assert "errors" in response.json() or case == "bank reference"
        assert NUMBER not in readable
        assert NUMBER[:-1] not in readable
        assert CHEN.name not in readable
        assert "Traceback" not in readable


def test_a_number_in_a_path_or_header_is_not_written_down(bank: Client) -> None:
    for path in (f"/receipts/{NUMBER}.pdf", f"/{NUMBER}", f"/verify?number={NUMBER}", f"/graphql/{NUMBER}"):
        response = bank.http.get(path, headers={"Authorization": f"Bearer {bank.token}", "X-Request-Id": NUMBER})
        assert response.status_code < 500
        assert NUMBER not in response.text
