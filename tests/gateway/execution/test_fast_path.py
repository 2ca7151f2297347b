"""What a compiled plan's fast path covers, and that nothing shows of its giving up."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import strawberry
from graphql import ExecutionResult, execute, parse

from gateway.execution.compiled import Compiler, Plans, fast_path

pytestmark = pytest.mark.anyio


class Record:
    """What the resolvers return: its attributes, and how often each was read."""

    def __init__(self, **attributes: Any) -> None:
        self.attributes = attributes
        self.reads: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        self.reads.append(name)
        return self.attributes[name]


@strawberry.type
class Line:
    month: int
    note: str | None


@strawberry.type
class Bill:
    number: str
    lines: list[Line]
    next: "Bill | None"
    parts: list["Bill"]

    @strawberry.field
    def place(self, info: strawberry.Info) -> str:
        return str(info.path.as_list())


@strawberry.type
class Query:
    @strawberry.field(graphql_type=Bill | None)
    def bill(self, info: strawberry.Info) -> Any:
        return info.context


CORE = strawberry.Schema(Query)._schema


def lines(months: Iterable[object]) -> Iterator[Record]:
    return (Record(month=month, note=None) for month in months)


class Answered:
    """One text, run by its plan and by graphql-core."""

    def __init__(self, text: str) -> None:
        self.document = parse(text)
        self.plans = Plans()
        self._compiler = Compiler(CORE, max_coercion_errors=10, hide_suggestions=True, first_runs=0)

    async def by_plan(self, bill: Any) -> tuple[Any, list[Any]]:
        planned = self._compiler.execute(self.document, None, self.plans, {}, bill)
        assert planned is not None
        return _seen(await planned)

    def by_graphql_core(self, bill: Any) -> tuple[Any, list[Any]]:
        result = execute(CORE, self.document, context_value=bill)
        assert isinstance(result, ExecutionResult)
        return _seen(result)


def _seen(result: ExecutionResult) -> tuple[Any, list[Any]]:
    return result.data, [(error.message, error.path) for error in result.errors or []]


async def test_where_nothing_is_wrong_each_attribute_is_read_once() -> None:
    bill = Record(number="1", lines=[*lines([1, 2])], next=None)
    data, errors = await Answered("{ bill { number lines { month } next { number } } }").by_plan(bill)
    assert data == {"bill": {"number": "1", "lines": [{"month": 1}, {"month": 2}], "next": None}}
    assert not errors
    assert bill.reads == ["number", "lines", "next"]


@pytest.mark.parametrize(
    "months", [[1, None], [1, "x", 2**40], [ValueError("month")], None, 7, ValueError("lines"), [[]]]
)
async def test_what_is_wrong_is_told_as_by_graphql_core(months: Any) -> None:
    answered = Answered("{ bill { lines { month note } number next { lines { month } } } }")

    def bill() -> Record:
        found = [*lines(months)] if isinstance(months, list) else months
        last = Record(lines=found, number="2", next=None)
        return Record(lines=[*lines([1])], number="1", next=last)

    for _ in range(2):
        assert await answered.by_plan(bill()) == answered.by_graphql_core(bill())
    assert answered.by_graphql_core(bill())[1]


async def test_what_can_be_iterated_over_once_is_iterated_over_once() -> None:
    answered = Answered("{ bill { lines { month } } }")
    assert await answered.by_plan(Record(lines=lines([1, 2]))) == (
        {"bill": {"lines": [{"month": 1}, {"month": 2}]}},
        [],
    )
    data, errors = await answered.by_plan(Record(lines=lines([1, None])))
    assert data == {"bill": None}
    assert [path for _, path in errors] == [["bill", "lines", 1, "month"]]


async def test_an_error_that_has_the_attributes_of_a_record_is_an_error() -> None:
    class NotFound(Exception):
        number = "1"

    assert await Answered("{ bill { next { number } } }").by_plan(Record(next=NotFound("none"))) == (
        {"bill": {"next": None}},
        [("none", ["bill", "next"])],
    )


async def test_a_resolver_that_asks_for_its_place_is_told_it_beside_a_fast_path() -> None:
    bill = Record(next=Record(number="2", lines=[]), lines=[*lines([1])])
    text = "{ bill { here: place lines { month } next { number lines { note } } } }"
    data, errors = await Answered(text).by_plan(bill)
    assert not errors
    expected = {"here": "['bill', 'here']", "lines": [{"month": 1}], "next": {"number": "2", "lines": []}}
    assert data == {"bill": expected}


async def test_what_lies_deeper_than_a_function_may_go_is_answered_as_well() -> None:
    levels = fast_path.MAX_DEPTH
    bill = Record(parts=[], number="0")
    for number in range(levels):
        bill = Record(parts=[bill, bill] if number < 3 else [bill], number=str(number))
    answered = Answered("{ bill { " + "parts { number " * levels + "}" * levels + " } }")
    assert await answered.by_plan(bill) == answered.by_graphql_core(bill)
    assert not (await answered.by_plan(bill))[1]


async def test_a_slow_path_is_compiled_when_it_is_first_needed_and_serves_from_then_on() -> None:
    answered = Answered("{ bill { lines { month } } }")
    wrong, right = Record(lines=[*lines([None])]), Record(lines=[*lines([1])])
    for bill in (right, wrong, right, wrong):
        assert await answered.by_plan(bill) == answered.by_graphql_core(bill)
