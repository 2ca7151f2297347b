"""Writes the usual way from a record to its answer: one function for all below it, that keeps no place of anything.

Whatever is wrong, the function gives up, by returning Undefined: what `generator` writes beside it does the same again,
field by field, and finds what it was and where. So a field below the root may be resolved twice; by the specification
(Normal and Serial Execution) it has no side effects.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    Undefined,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

from gateway.execution.compiled import values
from gateway.execution.compiled.completion import Completion
from gateway.execution.compiled.resolvers import Bound, Function, Resolver, resolver_of
from gateway.execution.compiled.running import PlannedField
from gateway.execution.compiled.source import Source, indented

#: Lists and objects inside each other. Python allows no more than 20 loops in loops, and the `try` around them is one.
MAX_DEPTH = 16

#: As the methods of `Generator` that are handed in.
FieldsOf = Callable[[GraphQLObjectType, PlannedField], list[tuple[PlannedField, GraphQLField]]]
Resolve = Callable[[Resolver, GraphQLField, PlannedField, str, str], list[str]]


class FastPath:
    """Writes a function for a record of which all that is selected is plain.

    Plain are attributes, and functions that take no Info, for an Info has a place; of scalars, enums, and objects of
    which a look at the class tells the kind; and lists of them.
    """

    def __init__(
        self, source: Source, completion: Completion, schema: GraphQLSchema, fields_of: FieldsOf, resolve: Resolve
    ) -> None:
        self._source = source
        self._completion = completion
        self._schema = schema
        self._fields_of = fields_of
        self._resolve = resolve

    def function(self, kind: GraphQLObjectType, planned: PlannedField) -> str | None:
        """Return the name of the function `f(source, run)`; None where not all is plain. Raises NotCovered."""
        if not self._all_plain(kind, planned, MAX_DEPTH):
            return None
        name = f"fast_{self._source.count('fast')}"
        steps = ["try:", *indented(self._object(kind, "source", "answer", planned))]
        # The slow path meets the same again, and says what it was.
        steps += [f"except Exception: return {self._undefined}", "return answer"]
        self._source.add([f"def {name}(source, run):", *indented(steps)])
        return name

    def _all_plain(self, kind: GraphQLObjectType, planned: PlannedField, depth: int) -> bool:
        return all(
            field.name == "__typename" or self._is_plain(field, definition, depth)
            for field, definition in self._fields_of(kind, planned)
        )

    def _is_plain(self, field: PlannedField, definition: GraphQLField, depth: int) -> bool:
        resolver = resolver_of(self._schema, definition)
        if isinstance(resolver, Bound) or (isinstance(resolver, Function) and (resolver.is_async or resolver.info)):
            return False
        named, wrapped = _unwrapped(definition.type)
        depth -= wrapped
        if is_leaf_type(named):
            return depth >= 0
        return depth > 0 and is_object_type(named) and _is_told(named) and self._all_plain(named, field, depth - 1)

    def _object(self, kind: GraphQLObjectType, source: str, target: str, planned: PlannedField) -> list[str]:
        """Return lines that let `target` be the answer of the record `source`."""
        lines: list[str] = []
        answer: list[str] = []
        for field, definition in self._fields_of(kind, planned):
            if field.name == "__typename":
                answer.append(f"{field.key!r}: {kind.name!r}")
                continue
            resolver = resolver_of(self._schema, definition)
            done = self._new_name()
            answer.append(f"{field.key!r}: {done}")
            lines += self._resolve(resolver, definition, field, source, "None")
            lines += self._value(definition.type, "value", done, field, may_await=isinstance(resolver, Function))
        return [*lines, f"{target} = {{{', '.join(answer)}}}"]

    def _value(
        self, return_type: GraphQLOutputType, value: str, target: str, planned: PlannedField, *, may_await: bool
    ) -> list[str]:
        """Return lines that let `target` be the answer of `value`, or give up."""
        required = is_non_null_type(return_type)
        kind: Any = return_type.of_type if is_non_null_type(return_type) else return_type
        if is_leaf_type(kind):
            return self._completion.leaf(kind, value, target, planned, required=required, may_await=may_await)
        if is_list_type(kind):
            steps = self._list(kind.of_type, value, target, planned)
        else:
            source = self._new_name()
            lines = [f"{source} = {value}"]
            if may_await and not kind.is_type_of:
                lines = [f"{source} = {self._source.name(values.settled)}({value})"]
            steps = [*lines, self._check(kind, source), *self._object(kind, source, target, planned)]
        return steps if required else [f"if {value} is None: {target} = None", "else:", *indented(steps)]

    def _list(self, item_type: GraphQLOutputType, value: str, target: str, planned: PlannedField) -> list[str]:
        item, done = self._new_name(), self._new_name()
        return [
            # What can be iterated over only once has to be left whole for the slow path.
            f"if type({value}) is not list and type({value}) is not tuple: return {self._undefined}",
            f"{target} = []",
            f"for {item} in {value}:",
            *indented(self._value(item_type, item, done, planned, may_await=False)),
            *indented([f"{target}.append({done})"]),
        ]

    def _check(self, kind: GraphQLObjectType, source: str) -> str:
        """Return the line that gives up on what is no record of this kind, null included."""
        test = f"{source} is None or {source} is {self._undefined} or isinstance({source}, Exception)"
        if kind.is_type_of is not None:
            test = f"type({source}) not in {self._source.name(_classes(kind))}"
        return f"if {test}: return {self._undefined}"

    def _new_name(self) -> str:
        return f"v{self._source.count('value')}"

    @property
    def _undefined(self) -> str:
        return self._source.name(Undefined)


def _unwrapped(return_type: Any) -> tuple[GraphQLNamedType, int]:
    """Return the named type, and how many lists are around it."""
    lists = 0
    while is_non_null_type(return_type) or is_list_type(return_type):
        lists += is_list_type(return_type)
        return_type = return_type.of_type
    return return_type, lists


def _classes(kind: GraphQLObjectType) -> frozenset[type] | None:
    """Return the classes of which an `is_type_of` says that all values are of its kind; None where it says none."""
    classes = getattr(kind.is_type_of, "classes", None)
    return classes if isinstance(classes, frozenset) else None


def _is_told(kind: GraphQLObjectType) -> bool:
    """Return whether a look at a value's class tells whether it is of this kind."""
    if kind.is_type_of is None:
        return True
    classes = _classes(kind)
    # An error is raised, and an awaitable refused, whatever its class is told to be.
    return classes is not None and not any(issubclass(each, Exception | Awaitable) for each in classes)
