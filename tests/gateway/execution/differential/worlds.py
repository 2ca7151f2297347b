"""Records that are as they should be, and records that are not: the same again from the same seed."""

import datetime
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from decimal import Decimal
from typing import Any

import anyio
from graphql import (
    GraphQLEnumType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from strawberry.types.field import StrawberryField

from schema.selection import asked_of


class Trouble(Exception):
    """What a resolver raises."""


class Text(str):
    """A str that is not exactly one."""


_TIME = datetime.datetime(2020, 11, 16, 9, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=8)))
_RIGHT: dict[str, list[Any]] = {
    "String": ["a", "", "陈晓兰", Text("subclass")],
    "ID": ["id1", "id2", 7],
    "Int": [0, 7, -1, 2**31 - 1, True, 3.0],
    "Boolean": [True, False, 1],
    "Yuan": [Decimal("605.00"), Decimal("0.01")],
    "YearMonth": [2020 * 12 + 3, 2021 * 12],
    "Date": [datetime.date(2020, 11, 16)],
    "DateTime": [_TIME],
}
#: What its scalar writes otherwise than it came, or just not any more.
_NEARLY: dict[str, list[Any]] = {
    "Int": [2**31, -(2**31) - 1, "7", "", 7.5, Decimal(7)],
    "Boolean": [0, "true", 1.0],
    "String": [7, False, b"text", ["a"]],
    "ID": [7.0, True, b"id"],
    "YearMonth": [2**40, -1, 24240.0, True],
    "Yuan": [Decimal("605.001"), Decimal("-1"), 605, "605.00"],
    "Date": [_TIME, "2020-11-16"],
    "DateTime": [datetime.datetime(2020, 11, 16, 9, 30, 0, 5), datetime.date(2020, 11, 16)],
}
_WRONG: list[Any] = [
    None, Undefined, "text", 2**40, 1.5, float("nan"), {"a": 1}, [1], b"x", object, Decimal("NaN"), _TIME, "PENSION",
]  # fmt: skip


class World:
    """Everything that one operation meets. It is the operation's context as well."""

    locale = "en"
    public_url = "https://gateway.example"

    def __init__(self, schema: GraphQLSchema, seed: int) -> None:
        self.schema = schema
        self._seed = seed
        #: Some worlds have no trouble at all: what lies deep is reached there.
        self._odds = (0, 100, 25, 6)[seed % 4]
        self.log: list[str] = []
        self.call = Stub(self, "call", None)

    def roll(self, path: str, sides: int) -> int:
        """Return a number below `sides`, the same for the same path."""
        digest = hashlib.blake2b(f"{self._seed}{path}".encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big") % sides

    def is_troubled(self, path: str) -> bool:
        return bool(self._odds) and self.roll(path + "?", self._odds) == 0

    def value(self, path: str, kind: Any) -> Any:
        """Return a value for an output type: mostly right."""
        if self.is_troubled(path):
            return self._wrong(path, kind)
        if is_non_null_type(kind):
            return self._right(path, kind.of_type)
        return None if self.roll(path + "!", 6) == 0 else self._right(path, kind)

    def _wrong(self, path: str, kind: Any) -> Any:
        kind = get_nullable_type(kind)
        match self.roll(path + "wrong", 4):
            case 0:
                return Trouble(path) if self.roll(path, 2) else None
            case 1:
                return _WRONG[self.roll(path, len(_WRONG))]
            case 2 | 3 if is_leaf_type(kind) and kind.name in _NEARLY:
                nearly = _NEARLY[kind.name]
                return nearly[self.roll(path, len(nearly))]
            case 2:
                types = [each for each in self.schema.type_map.values() if isinstance(each, GraphQLObjectType)]
                return self.record(path, types[self.roll(path, len(types))])
        return None

    def _right(self, path: str, kind: Any) -> Any:
        if is_list_type(kind):
            found = (self.value(f"{path}.{n}", kind.of_type) for n in range(self.roll(path + "#", 4)))
            return (list, tuple, iter, list)[self.roll(path + "list", 4)](found)
        if is_leaf_type(kind):
            right = self._enum(kind) if isinstance(kind, GraphQLEnumType) else _RIGHT[kind.name]
            return right[self.roll(path, len(right))]
        if is_abstract_type(kind):
            types = self.schema.get_possible_types(kind)
            kind = types[self.roll(path + "kind", len(types))]
        return self.record(path, kind)

    @staticmethod
    def _enum(kind: GraphQLEnumType) -> list[Any]:
        values = [value.value for value in kind.values.values()]
        return [*values, *kind.wrapped_cls]  # type: ignore[attr-defined]

    def record(self, path: str, kind: GraphQLObjectType) -> Any:
        """Return a record of a kind: of the class that its type is told by, where it is."""
        definition = kind.extensions.get("strawberry-definition")
        if definition is None:
            return Stub(self, path, None)
        if kind.is_type_of is None:
            return Stub(self, path, kind)
        closure = getattr(kind.is_type_of, "__closure__", None) or ()
        kinds = next((cell.cell_contents for cell in closure if isinstance(cell.cell_contents, tuple)), ())
        cls = kinds[0] if definition.is_type_of else definition.origin
        made = object.__new__(cls)
        for each in fields(cls):
            here = f"{path}/{each.name}"
            if each.name == "answers":
                object.__setattr__(made, "answers", Answers(self, path, kind))
            elif not self.is_troubled(here + "unset"):
                object.__setattr__(made, each.name, self.attribute(here, kind, each.name))
        return made

    def attribute(self, path: str, kind: GraphQLObjectType, name: str) -> Any:
        """Return what a record of a kind has under a Python name."""
        for field in kind.fields.values():
            definition = field.extensions.get("strawberry-definition")
            if isinstance(definition, StrawberryField) and definition.python_name == name:
                return self.value(path, field.type)
        return None

    async def resolve(self, name: str, info: Any, arguments: dict[str, Any]) -> Any:
        """Answer a root field, at once or some turns of the loop later."""
        path = self._told(name, info, arguments)
        for _ in range(self.roll(path + "turns", 4)):
            await anyio.lowlevel.checkpoint()
        return self._root(path, info)

    def resolve_at_once(self, name: str, info: Any, arguments: dict[str, Any]) -> Any:
        """Answer a root field that is not awaited by its definition; some hand back what is."""
        path = self._told(name, info, arguments)
        return self.resolve(name, info, arguments) if self.roll(path + "later", 3) == 0 else self._root(path, info)

    def _root(self, path: str, info: Any) -> Any:
        if self.is_troubled(path + "raise"):
            raise Trouble(path)
        return self.value(path, info._raw_info.return_type)

    def _told(self, name: str, info: Any, arguments: dict[str, Any]) -> str:
        """Note all that the resolver is told: it is part of the answer that is compared."""
        raw = info._raw_info
        asked = asked_of(info) if not is_leaf_type(get_named_type(raw.return_type)) else None
        told = (
            raw.field_name, raw.path.as_list(), raw.path.typename, str(raw.return_type), str(raw.parent_type),
            [node.loc.start for node in raw.field_nodes], sorted(raw.fragments), raw.operation.loc.start,
            raw.variable_values.coerced, info.python_name, sorted(arguments.items()), asked,
        )  # fmt: skip
        self.log.append(repr(told))
        return f"{name}{sorted(arguments.items())}"


class Stub:
    """A record that is told by no class: its attributes are made as they are read."""

    def __init__(self, world: World, path: str, kind: GraphQLObjectType | None) -> None:
        self._world = world
        self._path = path
        self._kind = kind

    def __repr__(self) -> str:
        return f"Stub({self._path})"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        path = f"{self._path}/{name}"
        if self._world.is_troubled(path + "raise"):
            raise Trouble(path)
        if self._kind is None:
            return Decimal("0.20") if name == "rate" else "text"
        found = self._world.attribute(path, self._kind, name)
        return Stub(self._world, path, None) if found is None and name == "schedule" else found


class Answers:
    """A record's answers, under whatever key they are asked by."""

    def __init__(self, world: World, path: str, kind: GraphQLObjectType) -> None:
        self._world = world
        self._path = path
        self._kind = kind

    def __repr__(self) -> str:
        return f"Answers({self._path})"

    def __getitem__(self, key: Any) -> Any:
        path = f"{self._path}/{key!r}"
        if self._world.is_troubled(path + "raise"):
            raise Trouble(path)
        return self._world.attribute(path, self._kind, key if isinstance(key, str) else key[0])


@contextmanager
def stubbed_roots(schema: GraphQLSchema) -> Iterator[None]:
    """Let every root resolver ask the world that is its operation's context."""
    before: list[tuple[Any, Any]] = []
    for root in (schema.query_type, schema.mutation_type):
        assert root is not None
        for field in root.fields.values():
            definition = field.extensions["strawberry-definition"]
            before.append((definition.base_resolver, definition.base_resolver.wrapped_func))
            definition.base_resolver.wrapped_func = _stub(definition.python_name, definition.is_async)
    try:
        yield
    finally:
        for resolver, function in before:
            resolver.wrapped_func = function


def _stub(name: str, is_async: bool) -> Any:
    def at_once(_root: object, info: Any, **arguments: Any) -> Any:
        return info.context.resolve_at_once(name, info, arguments)

    async def later(_root: object, info: Any, **arguments: Any) -> Any:
        return await info.context.resolve(name, info, arguments)

    return later if is_async else at_once
