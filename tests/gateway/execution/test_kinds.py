"""However a value says of which kind it is, a plan finds the kind that graphql-core and Strawberry find."""

from typing import Annotated, Any

import pytest
import strawberry
from graphql import execute, parse

from gateway.execution.compiled import Compiler, Plans
from gateway.execution.compiled.kinds import Kinds, is_plain

pytestmark = pytest.mark.anyio


class Slotted:
    __slots__ = ("kind",)

    def __init__(self, kind: object) -> None:
        self.kind = kind


class Loose:
    def __init__(self, kind: object) -> None:
        self.kind = kind


class Naming(Slotted):
    __slots__ = ()
    _Naming__typename = "Dog"


class Guessing(Slotted):
    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name == "__as_strawberry_type__":
            return Dog
        raise AttributeError(name)


def _is(kind: str) -> Any:
    return lambda value, _info: value.kind == kind and isinstance(value, Slotted | Loose)


@strawberry.interface
class Pet:
    kind: str


@strawberry.type
class Cat(Pet):
    is_type_of = _is("cat")


@strawberry.type
class Dog(Pet):
    is_type_of = _is("dog")


@strawberry.type
class Fish(Pet):
    pass


AnyPet = Annotated[Cat | Dog | Fish, strawberry.union("AnyPet")]


@strawberry.type
class Query:
    @strawberry.field(graphql_type=Pet)
    async def pet(self, info: strawberry.Info) -> Any:
        return info.context

    @strawberry.field(graphql_type=AnyPet)
    async def any_pet(self, info: strawberry.Info) -> Any:
        return info.context


CORE = strawberry.Schema(Query)._schema


@pytest.mark.parametrize(
    "value",
    [
        Slotted("cat"),
        Slotted("dog"),
        Slotted("fish"),
        Slotted(None),
        Loose("cat"),
        strawberry.cast(Dog, Loose("cat")),
        strawberry.cast(Fish, Loose("cat")),
        strawberry.cast(Query, Loose("cat")),
        Naming("cat"),
        Guessing("cat"),
        {"__typename": "Dog", "kind": "cat"},
        Cat(kind="dog"),
        Fish(kind="cat"),
        Query(),
        "cat",
        7,
        object(),
    ],
)
async def test_the_same_kind_is_found(value: object) -> None:
    for field in ("pet", "anyPet"):
        document, plans = parse(f"{{ {field} {{ __typename ... on Pet {{ kind }} }} }}"), Plans()
        compiler = Compiler(CORE, max_coercion_errors=10, hide_suggestions=True, first_runs=0)
        planned = compiler.execute(document, None, plans, {}, value)
        expected: Any = await execute(CORE, document, context_value=value)  # type: ignore[misc]
        assert planned is not None
        assert (await planned).formatted == expected.formatted


def test_only_a_class_that_can_say_nothing_more_takes_the_short_way() -> None:
    assert is_plain(Slotted, Pet)
    for cls in (Loose, Naming, Guessing, dict, Cat, Fish, str):
        assert not is_plain(cls, Pet)


def test_a_kind_that_is_not_told_by_true_or_false_goes_the_long_way() -> None:
    abstract: Any = CORE.type_map["Pet"]
    found = Kinds(abstract, ((lambda *_args: 1, print), (lambda *_args: True, repr))).find(Slotted("cat"), None)
    assert found is None
