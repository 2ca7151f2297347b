"""What a caller did wrong is told in clear; what we did wrong is told by a reference and logged without values."""

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from graphql import GraphQLSchema, build_schema
from structlog.testing import capture_logs

from contributions.problems import BadInput
from gateway.app import word_exception
from gateway.execution.documents import DocumentStore, InvalidDocument
from gateway.execution.runner import Answer, Runner, refused

pytestmark = pytest.mark.anyio

NUMBER = "36999919660630004X"
NAME = "欧阳明"


@pytest.fixture(autouse=True, params=["graphql-core", "compiled"])
def _executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule of this page holds whoever runs the operation."""
    if request.param == "compiled":
        monkeypatch.setitem(Runner.__init__.__kwdefaults__, "first_runs", 0)


class Failing:
    """A small schema whose field `payer` does what a test says."""

    def __init__(self, resolve: Callable[[], object]) -> None:
        self._schema: GraphQLSchema = build_schema(
            "type Query { payer(amount: Int! = 1): Payer sure: Int! } type Payer { id: Int! }"
        )
        assert self._schema.query_type is not None
        self._schema.query_type.fields["payer"].resolve = lambda *_args, **_arguments: resolve()
        self._schema.query_type.fields["sure"].resolve = lambda *_args: resolve()
        self._documents = DocumentStore(self._schema, lambda _field: (), hide_suggestions=False, introspectable=True)

    async def run(self, text: str = "{ payer { id } }", **variables: Any) -> Answer:
        runner = Runner(self._schema, word_exception, hide_suggestions=False)
        return await runner.run(self._documents.load(text).operation(None), variables, None)


def raising(exception: Exception) -> Failing:
    def resolve() -> object:
        raise exception

    return Failing(resolve)


async def test_an_answer_without_errors_has_no_entry_for_them() -> None:
    answer = await Failing(lambda: {"id": 1}).run()
    assert answer == Answer({"data": {"payer": {"id": 1}}}, ran=True)


async def test_bad_input_names_its_field() -> None:
    answer = await raising(BadInput("input.amount", "must be above zero")).run()
    assert answer.body == {
        "data": {"payer": None},
        "errors": [
            {
                "message": "input.amount: must be above zero",
                "locations": [{"line": 1, "column": 3}],
                "path": ["payer"],
                "extensions": {"code": "BAD_USER_INPUT", "field": "input.amount"},
            }
        ],
    }


@pytest.mark.parametrize(
    "exception",
    [asyncpg.QueryCanceledError("canceling statement"), asyncpg.LockNotAvailableError("canceling statement")],
)
async def test_what_the_database_gave_up_may_be_tried_again(exception: Exception) -> None:
    with capture_logs() as logs:
        answer = await raising(exception).run()
    (error,) = answer.body["errors"]
    assert error["extensions"]["code"] == "TRY_AGAIN"
    assert logs == []


@pytest.mark.parametrize(
    "exception",
    [
        KeyError(NAME),
        ValueError(NUMBER),
        asyncpg.DataError(f"invalid input for query argument $1: '{NUMBER}'"),
        asyncpg.UniqueViolationError(f"Key (name)=({NAME}) already exists."),
    ],
)
async def test_a_fault_of_ours_is_told_by_a_reference(exception: Exception) -> None:
    with capture_logs() as logs:
        answer = await raising(exception).run("{ mine: payer { id } }")
    (error,) = answer.body["errors"]
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "reference": logs[0]["reference"]}
    assert logs[0]["reference"] in error["message"]
    assert NUMBER not in error["message"]
    assert NAME not in error["message"]
    (line,) = logs
    assert (line["event"], line["log_level"], line["field"]) == ("fault", "error", "payer")
    assert line["exc_info"] is exception
    assert set(line) == {"event", "log_level", "reference", "field", "exc_info"}


async def test_two_faults_have_two_references() -> None:
    answer = await raising(KeyError("x")).run("{ a: payer { id } b: payer { id } }")
    assert len({error["extensions"]["reference"] for error in answer.body["errors"]}) == 2


@pytest.mark.parametrize("value", [{"id": NUMBER}, {"id": NAME}, {"id": None}, {"id": {NAME: 1}}])
async def test_an_answer_that_is_not_as_the_schema_has_it_is_our_fault(value: object) -> None:
    answer = await Failing(lambda: value).run()
    (error,) = answer.body["errors"]
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert NUMBER not in error["message"]
    assert NAME not in error["message"]


async def test_a_fault_at_a_field_that_must_be_answered_leaves_no_data() -> None:
    answer = await raising(KeyError("x")).run("{ sure }")
    assert answer.ran
    assert answer.body["data"] is None


@pytest.mark.parametrize("value", [NUMBER, NAME, 1.5, 3699991966063000410, True, [1], {"a": NAME}])
async def test_a_variable_that_can_not_be_read_runs_nothing(value: object) -> None:
    ran: list[int] = []
    answer = await Failing(lambda: ran.append(1)).run("query ($n: Int!) { payer(amount: $n) { id } }", n=value)
    assert not ran
    assert not answer.ran
    assert "data" not in answer.body
    (error,) = answer.body["errors"]
    assert error["message"].startswith("Variable '$n' has invalid value: Int cannot represent")
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert NUMBER not in error["message"]
    assert NAME not in error["message"]


async def test_an_argument_that_only_the_variables_make_wrong_is_bad_input() -> None:
    answer = await Failing(lambda: None).run("query ($n: Int = 1) { payer(amount: $n) { id } }", n=None)
    (error,) = answer.body["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert error["message"].startswith("Argument 'amount' has invalid value")


async def test_errors_about_variables_are_cut_off() -> None:
    declared = ", ".join(f"$n{name}: Int!" for name in range(20))
    used = " ".join(f"a{name}: payer(amount: $n{name}) {{ id }}" for name in range(20))
    answer = await Failing(lambda: None).run(f"query ({declared}) {{ {used} }}")
    assert len(answer.body["errors"]) == 11


def test_a_refused_document_is_told_with_its_code_and_places() -> None:
    store = Failing(lambda: None)._documents
    with pytest.raises(InvalidDocument) as caught:
        store.load(f'{{ payer(amount: "{NUMBER}") {{ id }} }}')
    answer = refused(caught.value)
    assert not answer.ran
    (error,) = answer.body["errors"]
    assert error["extensions"] == {"code": "GRAPHQL_VALIDATION_FAILED"}
    assert error["locations"] == [{"line": 1, "column": 17}]
    assert NUMBER not in error["message"]
