"""What a compiled plan covers, what it leaves to graphql-core, and how much of it is kept."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import strawberry
from graphql import ExecutionResult, GraphQLSchema, build_schema, execute, parse

from gateway.execution.compiled import Compiler, Plans, compiler, generator
from gateway.execution.compiled.running import FieldInfo
from schema.contract import schema
from tests.gateway.execution.small_schema import SCHEMA

pytestmark = pytest.mark.anyio


class Compiled:
    """Runs texts by plans alone, over a root value's attributes."""

    def __init__(self, core: GraphQLSchema = SCHEMA, **options: Any) -> None:
        self.core = core
        self._compiler = Compiler(core, max_coercion_errors=10, hide_suggestions=True, **{"first_runs": 0, **options})
        self._plans: dict[str, Plans] = {}

    def plans(self, text: str) -> Plans:
        return self._plans.setdefault(text, Plans())

    async def run(self, text: str, context: object = None, **variables: Any) -> ExecutionResult | None:
        planned = self._compiler.execute(parse(text), None, self.plans(text), variables, context)
        return None if planned is None else await planned

    async def reference(self, text: str, **variables: Any) -> ExecutionResult:
        outcome = execute(self.core, parse(text), variable_values=variables, hide_suggestions=True)
        return outcome if isinstance(outcome, ExecutionResult) else await outcome


def resolving(sdl: str, **resolvers: Callable[..., Any]) -> Compiled:
    """A schema whose root fields are resolved by functions."""
    core = build_schema(sdl)
    for root in (core.query_type, core.mutation_type):
        for name, field in root.fields.items() if root is not None else ():
            field.resolve = resolvers.get(name)
    return Compiled(core)


def answer(result: ExecutionResult | None) -> tuple[Any, list[Any]]:
    assert result is not None
    return result.data, [(error.message, error.path) for error in result.errors or []]


async def test_the_first_run_is_graphql_cores() -> None:
    compiled = Compiled(first_runs=1)
    assert await compiled.run("{ __typename }") is None
    assert answer(await compiled.run("{ __typename }")) == ({"__typename": "Query"}, [])


@pytest.mark.parametrize(
    "text",
    [
        "{ __schema { queryType { name } } }",
        '{ a: __type(name: "Payer") { name } }',
        "{ ... on Query { __schema { __typename } } }",
    ],
)
async def test_introspection_is_left_to_graphql_core(text: str) -> None:
    assert await Compiled().run(text) is None


async def test_subscriptions_are_left_to_graphql_core() -> None:
    core = build_schema("type Query { a: Int } type Subscription { a: Int }")
    assert await Compiled(core).run("subscription { a }") is None


async def test_a_field_below_the_root_that_is_awaited_is_left_to_graphql_core() -> None:
    async def later(*_args: object) -> int:
        raise AssertionError("nothing may have run")

    core = build_schema("type Query { payer: Payer } type Payer { id: Int }")
    core.type_map["Payer"].fields["id"].resolve = later  # type: ignore[attr-defined]
    assert await Compiled(core).run("{ payer { id } }") is None


async def test_an_awaitable_that_no_definition_announced_is_an_error_and_not_an_answer() -> None:
    async def later() -> int:
        return 1

    compiled = resolving(
        "type Query { payer: Payer } type Payer { id: Int, friends: [Int], friend: Payer }",
        payer=lambda *_args: {"id": later(), "friends": later(), "friend": later()},
    )
    data, errors = answer(await compiled.run("{ payer { id friends friend { id } } }"))
    assert data["payer"]["id"] is None
    assert data["payer"]["friends"] is None
    assert {message for message, _ in errors} == {
        "A compiled plan awaits root fields only. Declare the resolver `async def`."
    }
    gc.collect()


async def test_a_condition_has_a_plan_for_each_outcome_and_no_more_than_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled = Compiled()
    text = "query ($a: Boolean!, $b: Boolean!) { __typename @include(if: $a) t: __typename @skip(if: $b) }"
    assert answer(await compiled.run(text, a=True, b=True))[0] == {"__typename": "Query"}
    assert answer(await compiled.run(text, a=False, b=False))[0] == {"t": "Query"}
    assert len(compiled.plans(text).by_conditions) == 2
    monkeypatch.setattr(compiler, "MAX_PLANS", 2)
    assert await compiled.run(text, a=True, b=False) is None
    assert answer(await compiled.run(text, a=True, b=True))[0] == {"__typename": "Query"}


async def test_a_condition_that_is_null_is_left_to_graphql_core() -> None:
    text = "query ($a: Boolean = true) { __typename @include(if: $a) }"
    assert answer(await Compiled().run(text))[0] == {"__typename": "Query"}
    assert await Compiled().run(text, a=None) is None


async def test_a_plan_over_its_limit_is_left_to_graphql_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "MAX_FIELDS", 2)
    assert await Compiled().run("{ a: __typename b: __typename c: __typename }") is None
    assert await Compiled().run("{ a: __typename b: __typename }") is not None


async def test_the_plan_used_longest_ago_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "MAX_KEPT_FIELDS", 2)
    compiled = Compiled()
    first, second, third = ("{ a: __typename }", "{ b: __typename }", "{ c: __typename }")
    for text in (first, second, first, third):
        await compiled.run(text)
    assert compiled.plans(first).by_conditions
    assert not compiled.plans(second).by_conditions
    assert answer(await compiled.run(second))[0] == {"b": "Query"}


async def test_mutations_run_one_after_the_other_and_stop_where_the_answer_is_lost() -> None:
    ran: list[str] = []

    def mutation(name: str, turns: int, *, fails: bool = False) -> Callable[..., Any]:
        async def resolve(*_args: object) -> int:
            for _ in range(turns):
                await asyncio.sleep(0)
            ran.append(name)
            if fails:
                raise ValueError(name)
            return 1

        return resolve

    compiled = resolving(
        "type Query { a: Int } type Mutation { slow: Int!, quick: Int, sure: Int! }",
        slow=mutation("slow", 3),
        quick=mutation("quick", 0, fails=True),
        sure=mutation("sure", 0, fails=True),
    )
    assert answer(await compiled.run("mutation { slow quick again: slow }")) == (
        {"slow": 1, "quick": None, "again": 1},
        [("quick", ["quick"])],
    )
    assert ran == ["slow", "quick", "slow"]
    ran.clear()
    assert answer(await compiled.run("mutation { sure slow }")) == (None, [("sure", ["sure"])])
    assert ran == ["sure"]


async def test_queries_run_together() -> None:
    both = asyncio.Barrier(2)

    async def resolve(*_args: object) -> int:
        await asyncio.wait_for(both.wait(), 5)
        return 1

    compiled = resolving("type Query { a: Int, b: Int }", a=resolve, b=resolve)
    assert answer(await compiled.run("{ a b }")) == ({"a": 1, "b": 1}, [])


async def test_what_a_failed_field_leaves_running_is_cancelled_or_settled() -> None:
    async def never(*_args: object) -> int:
        await asyncio.Event().wait()
        raise AssertionError

    async def later(*_args: object) -> int:
        await asyncio.sleep(0)
        raise ValueError("later")

    def at_once(*_args: object) -> int:
        raise ValueError("at once")

    before = asyncio.all_tasks()
    sdl = "type Query { never: Int, sure: Int!, now: Int!, other: Int }"
    compiled = resolving(sdl, never=never, sure=later, now=at_once, other=later)
    assert answer(await compiled.run("{ never sure }")) == (None, [("later", ["sure"])])
    assert answer(await compiled.run("{ other now }")) == (None, [("at once", ["now"])])
    for _ in range(3):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_deep_lists_of_lists() -> None:
    compiled = resolving("type Query { a: [[[Int!]]!], b: [[[[[Int]]]]] }", a=lambda *_args: [[[1, None], [2]], [None]])
    text = "{ a }"
    result = await compiled.run(text)
    assert answer(result) == answer(await compiled.reference(text))
    assert answer(result)[0] == {"a": [[None, [2]], [None]]}
    assert await compiled.run("{ b }") is None


@strawberry.type
class Person:
    name: str

    @strawberry.field
    def greeting(self, info: strawberry.Info, times: int = 1, words: list[str] | None = None) -> str:
        return f"{info.path.as_list()}{times}{words}"


@strawberry.type
class Root:
    @strawberry.field
    async def people(self, info: strawberry.Info) -> list[Person]:
        raw: Any = info._raw_info
        assert isinstance(raw, FieldInfo)
        return [Person(name=str(info.context)), Person(name=str(len(raw.field_nodes)))]


async def test_a_resolver_is_told_of_its_field_and_its_place() -> None:
    compiled = Compiled(strawberry.Schema(Root)._schema)
    text = 'query ($n: Int) { people { name } people { greeting(times: $n, words: ["a"]) } }'
    data, errors = answer(await compiled.run(text, "context", n=2))
    assert not errors
    assert data["people"] == [
        {"name": "context", "greeting": "['people', 0, 'greeting']2['a']"},
        {"name": "2", "greeting": "['people', 1, 'greeting']2['a']"},
    ]


async def test_a_list_that_an_argument_brings_is_no_other_runs() -> None:
    seen: list[list[int]] = []

    def keep(_root: object, _info: object, numbers: list[int]) -> int:
        seen.append(numbers)
        numbers.append(0)
        return len(numbers)

    compiled = resolving("type Query { a(numbers: [Int!] = [7]): Int, b(numbers: [Int!]): Int }", b=keep)
    text = "query ($n: [Int!] = [1]) { x: b(numbers: [1, 2]) y: b(numbers: $n) }"
    for _ in range(2):
        assert answer(await compiled.run(text))[0] == {"x": 3, "y": 2}


async def test_arguments_may_have_the_names_of_pythons_own_words() -> None:
    def told(_root: object, _info: object, **arguments: Any) -> str:
        return str(sorted(arguments.items()))

    compiled = resolving("type Query { a(from: Int, class: Int = 3, as: Int, value: Int): String }", a=told)
    assert answer(await compiled.run("query ($n: Int) { a(from: $n, as: 1, value: 2) b: a }", n=5))[0] == {
        "a": "[('as', 1), ('class', 3), ('from', 5), ('value', 2)]",
        "b": "[('class', 3)]",
    }
    text = "query ($n: Int) { a(from: $n) }"
    assert answer(await compiled.run(text))[0] == {"a": "[('class', 3)]"}


async def test_a_plan_goes_with_its_operation() -> None:
    compiled = Compiled()
    text = "{ __typename }"
    await compiled.run(text)
    (plan,) = compiled.plans(text).by_conditions.values()
    kept = weakref.ref(plan)
    del plan
    assert kept() is not None
    compiled._compiler = Compiler(SCHEMA, max_coercion_errors=10, hide_suggestions=True)
    compiled._plans.clear()
    gc.collect()
    assert kept() is None


def test_the_contracts_own_resolvers_are_called_without_what_is_wrapped_around_them() -> None:
    from gateway.execution.compiled.resolvers import Bound, resolver_of

    core = schema._schema
    bound = {
        f"{kind.name}.{name}"
        for kind in core.type_map.values()
        for name, field in getattr(kind, "fields", {}).items()
        if hasattr(field, "resolve") and not kind.name.startswith("__")
        if isinstance(resolver_of(core, field), Bound) and not kind.name.endswith("Input")
    }
    assert bound == set()
