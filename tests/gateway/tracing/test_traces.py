"""Tracing in its parts: what is continued, what is told by which name, and what there is without it."""

import subprocess
import sys
from typing import Any

import pytest
from graphql import parse
from opentelemetry import trace
from opentelemetry.trace import format_trace_id
from pydantic import ValidationError

from gateway.parts import Parts, parts_of
from gateway.settings import Settings
from gateway.tracing import traces as tracing
from gateway.tracing.operations import PROBLEM_CODES, shape_hash, telling_name
from gateway.tracing.requests import continued
from gateway.tracing.statements import _of_status, summary_of
from gateway.tracing.traces import Traces
from tests.acceptance.gateway import free_port
from tests.docs.pages import code, rows

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
#: Eighteen digits that are a person's, inside what could be a trace id.
A_PERSONS = "a0369999198503120010a00000000000"

pytestmark = pytest.mark.anyio


def settings(**more: Any) -> Settings:
    return Settings(traces_url=f"http://127.0.0.1:{free_port()}/v1/traces", **more)


def test_without_a_collector_nothing_is_there_nor_imported() -> None:
    assert parts_of(Settings()) == Parts()
    imported = (
        "import sys, gateway.app, gateway.outbox.running\n"
        "from gateway.settings import Settings\n"
        "gateway.app.parts_of(Settings()), gateway.outbox.running.worker_parts_of(Settings())\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'gateway.tracing', 'requests'))])"
    )
    done = subprocess.run([sys.executable, "-c", imported], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ([f"00-{TRACE_ID}-{SPAN_ID}-01"], True),
        ([f"00-{TRACE_ID}-{SPAN_ID}-00"], True),
        # A later version may add to what there is.
        ([f"cc-{TRACE_ID}-{SPAN_ID}-01-what-comes"], True),
        ([], False),
        ([""], False),
        ([f"00-{TRACE_ID}-{SPAN_ID}-01"] * 2, False),
        ([f"00-{TRACE_ID}-{SPAN_ID}-01-more"], False),
        ([f"ff-{TRACE_ID}-{SPAN_ID}-01"], False),
        ([f"00-{TRACE_ID.upper()}-{SPAN_ID}-01"], False),
        ([f"00-{'0' * 32}-{SPAN_ID}-01"], False),
        ([f"00-{TRACE_ID}-{'0' * 16}-01"], False),
        ([f"cc-{TRACE_ID}-{SPAN_ID}-01-{'x' * 100}"], False),
        ([f"00-{A_PERSONS}-{SPAN_ID}-01"], False),
        (["369999198503120010"], False),
        (["\xff" * 55], False),
    ],
)
def test_a_traceparent_is_taken_if_it_is_one(given: list[str], taken: bool) -> None:
    context = continued({"headers": [(b"traceparent", value.encode("latin-1")) for value in given]})
    found = trace.get_current_span(context).get_span_context()
    assert found.is_valid == taken
    if taken:
        assert format_trace_id(found.trace_id) == TRACE_ID


def test_a_tracestate_is_not_taken() -> None:
    headers = [(b"traceparent", f"00-{TRACE_ID}-{SPAN_ID}-01".encode()), (b"tracestate", b"bank=1")]
    assert trace.get_current_span(continued({"headers": headers})).get_span_context().trace_state == {}


@pytest.mark.parametrize("flag", ["00", "01"])
@pytest.mark.parametrize("ratio", [0, 1])
async def test_the_ratio_decides_and_not_the_callers_flag(ratio: int, flag: str) -> None:
    traces = Traces(settings(traces_ratio=ratio), "gateway")
    headers = [(b"traceparent", f"00-{TRACE_ID}-{SPAN_ID}-{flag}".encode())]
    span = traces.tracer.start_span("one", continued({"headers": headers}))
    assert span.is_recording() == bool(ratio)
    assert format_trace_id(span.get_span_context().trace_id) == TRACE_ID
    await traces.end()


async def test_a_collector_that_is_away_holds_no_end_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "END_SECONDS", 0.05)
    traces = Traces(settings(traces_ratio=1), "gateway")
    traces.tracer.start_span("one").end()
    await traces.end()


@pytest.mark.parametrize(
    ("sql", "summary"),
    [
        ("SELECT a.b FROM payers AS p WHERE a = 'FROM x'", "SELECT payers"),
        ("\n    SELECT set_config('gateway.institution_id', $1, $2)", "SELECT set_config"),
        ("INSERT INTO client_assertions (client_id) VALUES ($1)", "INSERT client_assertions"),
        ("UPDATE deliveries SET x = 1", "UPDATE deliveries"),
        ("WITH ended AS (DELETE FROM client_assertions AS a) SELECT 1", "WITH client_assertions"),
        ("SELECT * FROM submit_payment($1)", "SELECT submit_payment"),
        ("BEGIN", "BEGIN"),
        ("", ""),
    ],
)
def test_a_statement_is_told_by_what_it_does_to_what(sql: str, summary: str) -> None:
    assert summary_of(sql) == summary


def test_rows_that_a_statement_changed_are_read_from_its_status() -> None:
    assert [_of_status(status) for status in ("INSERT 0 5", "UPDATE 2", "DELETE 0", "BEGIN")] == [5, 2, 0, None]


def test_names_with_digits_are_not_told() -> None:
    told = {"FindPayer": True, "Q2020": False, "Find_2": True, "a" * 64: True, "a" * 65: False, None: False}
    assert {name: telling_name(name) is not None for name in told} == told


def test_documents_that_differ_in_what_is_the_callers_own_have_one_hash() -> None:
    one = """query A($n: String!) { payer(residentId: "369999198503120010", name: $n) { id ...F } }
    fragment F on Payer { id }"""
    same = """query B { x: payer(residentId: "1", name: "陈晓兰") @include(if: true) { y: id ...G } } # 1
    fragment G on Payer { z: id }"""
    other = "query A($n: String!) { payer(residentId: 1, name: $n) { id ...F } } fragment F on Payer { maskedName }"
    assert shape_hash(parse(one)) == shape_hash(parse(same))
    assert shape_hash(parse(one)) != shape_hash(parse(other))


def test_every_code_of_a_problem_is_known() -> None:
    assert {code(row[0]) for row in rows("docs/problems.md", "code")} == PROBLEM_CODES


@pytest.mark.parametrize(
    "url",
    [
        "collector",
        "ftp://collector/",
        "https://user:key@collector/",
        "https://collector/?key=1",
        "https://collector/#1",
    ],
)
def test_an_address_that_could_hold_a_secret_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="without a user, a query or a fragment"):
        Settings(traces_url=url)
    assert Settings(traces_url="http://collector:4318/v1/traces").traces_ratio == 0.1
