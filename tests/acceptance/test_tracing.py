"""What a collector of traces is sent: spans that belong together, and nothing of a person, a value or a token."""

import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.bank_receiver import Receiver, receiving
from tests.acceptance.collector import Collector, Span, collecting
from tests.acceptance.gateway import Client, Server, serving
from tests.acceptance.operations import pay, quote, submit
from tests.acceptance.people import CHEN, LIU, SANDBOX, ZHAO
from tests.acceptance.posting import until

REGISTER = "mutation ($url: String!) { registerCallback(input: {url: $url}) { secret } }"
FIND = "query FindSomebody($id: ResidentId!, $name: String!) { payer(residentId: $id, name: $name) { id } }"
LITERALS = f"""query Of{CHEN.resident_id} {{
  one{CHEN.resident_id}: payer(residentId: "{CHEN.resident_id}", name: "{CHEN.name}") {{ id }}  # {CHEN.name}
  payment(bankReference: "{CHEN.resident_id}") {{ id }}
}}"""
#: Everything that a span may say something of.
SAID = {
    "db.query.summary",
    "db.response.returned_rows",
    "db.system.name",
    "error.type",
    "gateway.client.id",
    "gateway.error.codes",
    "gateway.error.references",
    "gateway.job.again",
    "gateway.job.id",
    "gateway.operation.hash",
    "gateway.problem.codes",
    "graphql.operation.name",
    "graphql.operation.type",
    "http.request.method",
    "http.response.status_code",
    "http.route",
}
SERVER, CLIENT, CONSUMER = 2, 3, 5


@dataclass
class Day:
    """A server's and its worker's day, after its end."""

    collector: Collector
    receiver: Receiver
    log: Path
    spans: list[Span] = field(default_factory=list)
    trace_ids: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)

    def parents(self) -> dict[str, str]:
        """Return a new traceparent of a caller's; `trace_ids` has those that a test looks for."""
        return {"traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"}

    def named(self, what: str) -> dict[str, str]:
        header = self.parents()
        self.trace_ids[what] = header["traceparent"].split("-")[1]
        return header

    def of(self, what: str) -> list[Span]:
        return [span for span in self.spans if span.trace_id == self.trace_ids[what]]


def live(server: Server, day: Day) -> None:
    bank = server.client("abc-counter")
    day.secrets.append(bank.token)
    answered(bank.post(FIND, {"id": CHEN.resident_id, "name": CHEN.name}, **day.named("found")))
    answered(bank.post(LITERALS, **day.named("literals")))
    malformed(bank, day)
    secret = bank.run(REGISTER, url=day.receiver.url("/callback"))["registerCallback"]["secret"]
    day.secrets.append(secret)
    payable = quote(bank, ZHAO, "2020-06", "2020-07")
    assert submit(bank, payable, "TRACED-2", amount="1.00")["__typename"] == "AmountMismatch"
    payment = pay(bank, payable, "TRACED-1")
    day.secrets += [payable["id"], payment["id"], payment["receipt"]["verificationCode"], "TRACED-1"]
    assert server.token("abc-counter", secret="not-the-secret-of-anybody").status_code == 401
    day.secrets.append("not-the-secret-of-anybody")
    server.http.post(
        "/oauth/token",
        data={
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": CHEN.resident_id,
        },
        headers=day.named("logged"),
    )
    server.http.post("/verify", data={"number": CHEN.resident_id, "code": CHEN.name})
    until(lambda: bool(day.receiver.received("/callback")), "the bank was told")


def answered(response: Any) -> None:
    assert response.status_code == 200, response.text
    assert "errors" not in response.json(), response.text


def malformed(bank: Client, day: Day) -> None:
    number, name = CHEN.resident_id, CHEN.name
    bank.post(FIND, {"id": number[:-1] + "1", "name": name}, **day.named("misread"))
    bank.post(f'{{ payer(residentId: "{number}", name: "{name}") {{ a{number} }} }}', **day.named("invalid"))
    bank.post(f"{{ {name} }}")
    bank.post(f"{number} {name}")
    bank.post(FIND, {number: number, name: [name] * 3})
    http, token = bank.http, {"Authorization": f"Bearer {bank.token}"}
    http.post("/graphql", json={"query": FIND, "operationName": number}, headers=token)
    http.post("/graphql", json=[number, name], headers=token)
    http.post("/graphql", content=f'{{"query": "{number}'.encode(), headers={**token, "X-Person": number})
    http.post("/graphql", json={"query": FIND}, headers={"Authorization": f"Bearer {number}"})
    http.get("/graphql", params={"n": number, "name": name})
    http.request(f"X{number}", f"/{number}/{name}")
    http.get(f"/receipts/{number}.pdf", headers=token)
    http.get(f"/settlements/{number}", headers=token)
    for header in (
        {"traceparent": number},
        {"traceparent": f"00-{'0' * 14}{number}-{secrets.token_hex(8)}-01"},
        {**day.parents(), "tracestate": f"bank={number}"},
        {**day.parents(), "baggage": f"person={number}"},
    ):
        bank.post(FIND, {"id": number, "name": name}, **header)


@pytest.fixture(scope="module")
def day(sandbox_database: str, master_key: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    log = tmp_path_factory.mktemp("traced") / "server.log"
    settings = {
        "GATEWAY_DATABASE_URL": sandbox_database,
        "GATEWAY_MASTER_KEY": master_key,
        "GATEWAY_DATA_DIR": str(log.parent),
        "GATEWAY_WORK": "true",
        "GATEWAY_TRACES_RATIO": "1",
    }
    with collecting() as collector, receiving() as receiver:
        day = Day(collector, receiver, log)
        with serving(log, GATEWAY_TRACES_URL=collector.url, **settings) as server:
            live(server, day)
            # What is queued is sent at the end.
            assert server.stop() == 0
        day.spans = collector.spans
        yield day


def test_no_span_has_a_number_a_name_a_value_or_a_token(day: Day) -> None:
    raw = day.collector.raw
    assert b"FindSomebody" in raw, "what is told is found by this"
    for person in SANDBOX:
        for trace in (person.resident_id, person.resident_id[3:14], person.name):
            assert trace.encode() not in raw
    for secret in day.secrets:
        assert secret.encode() not in raw
    for text in (b"residentId", b"INSERT INTO ", b" WHERE ", b"$1::", b"person"):
        assert text not in raw


def test_spans_say_nothing_but_what_they_are_meant_to(day: Day) -> None:
    assert {name for span in day.spans for name in span.attributes} <= SAID
    named = re.compile(
        r"(GET|POST|_OTHER) (other|/[\w/.{}-]+)|(query|mutation)( [A-Z]\w+)?|[A-Z]+( [a-z_]+)?|posting|delivery"
    )
    assert [span.name for span in day.spans if not named.fullmatch(span.name)] == []


def test_a_banks_trace_goes_on_in_the_request_its_operation_and_its_statements(day: Day) -> None:
    spans = {span.span_id: span for span in day.of("found")}
    (request,) = [span for span in spans.values() if span.kind == SERVER]
    (operation,) = [span for span in spans.values() if span.name == "query FindSomebody"]
    assert request.parent_id not in spans
    assert operation.parent_id == request.span_id
    assert request.name == "POST /graphql"
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["gateway.client.id"] == "abc-counter"
    assert re.fullmatch(r"[0-9a-f]{16}", operation.attributes["gateway.operation.hash"])
    statements = [span for span in spans.values() if span.parent_id == operation.span_id]
    assert {span.attributes["db.response.returned_rows"] for span in statements if "payers" in span.name} == {1}
    assert {span.kind for span in statements} == {CLIENT}
    assert not any(span.failed for span in spans.values())


def test_an_operations_name_that_holds_a_number_is_not_told(day: Day) -> None:
    (operation,) = [span for span in day.of("literals") if "graphql.operation.type" in span.attributes]
    assert operation.name == "query"
    assert "graphql.operation.name" not in operation.attributes


def test_refusals_are_told_by_their_codes(day: Day) -> None:
    (misread,) = [span for span in day.of("misread") if "graphql.operation.type" in span.attributes]
    assert misread.attributes["gateway.error.codes"] == ["BAD_USER_INPUT"]
    (invalid,) = [span for span in day.of("invalid") if span.kind == SERVER]
    assert invalid.attributes["gateway.error.codes"] == ["GRAPHQL_VALIDATION_FAILED"]
    problems = [
        span.attributes["gateway.problem.codes"] for span in day.spans if "gateway.problem.codes" in span.attributes
    ]
    assert ["AMOUNT_MISMATCH"] in problems
    assert 401 in {span.attributes.get("http.response.status_code") for span in day.spans}


def test_a_trace_id_that_is_no_random_one_is_not_taken(day: Day) -> None:
    assert not any(CHEN.resident_id in span.trace_id for span in day.spans)
    assert CHEN.resident_id not in day.log.read_text("utf-8")
    assert LIU.resident_id not in day.log.read_text("utf-8")


def test_log_lines_of_a_request_have_its_trace(day: Day) -> None:
    lines = [json.loads(line) for line in day.log.read_text("utf-8").splitlines()]
    (refused,) = [line for line in lines if line["event"] == "client assertion refused"]
    assert refused["trace_id"] == day.trace_ids["logged"]
    assert "trace_id" not in lines[0]


def test_what_a_worker_sends_carries_the_trace_of_its_job(day: Day) -> None:
    jobs = [span for span in day.spans if span.kind == CONSUMER]
    assert {span.name for span in jobs} == {"posting", "delivery"}
    assert {span.service for span in jobs} == {"gateway-worker"}
    received = day.receiver.received("/callback")[0].headers["traceparent"].split("-")
    (delivery,) = [span for span in jobs if span.name == "delivery"]
    assert received[1:3] == [delivery.trace_id, delivery.span_id]
    assert delivery.attributes["http.response.status_code"] == 204
    assert delivery.attributes["gateway.job.again"] is False
    assert {span.service for span in day.spans if span.trace_id == delivery.trace_id} == {"gateway-worker"}
    statements = [span for span in day.spans if span.parent_id == delivery.span_id]
    assert [span.name for span in statements] == ["SELECT deliveries", "UPDATE deliveries"]
