"""Writes how a value becomes its part of the response: the usual kinds of value inline, all else by `values`."""

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from graphql import (
    GraphQLAbstractType,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    Undefined,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution import default_type_resolver

from gateway.execution.compiled import kinds, values
from gateway.execution.compiled.running import FieldInfo, PlannedField, located
from gateway.execution.compiled.source import Source, indented

#: Lists of lists of lists: each is a loop inside another, of which Python allows no more than 20.
MAX_NESTED_LISTS = 4


class NotCovered(Exception):
    """An operation that is graphql-core's to run. The message says why."""


class Completion:
    """Writes lines that complete values; `function_of` names the function that answers with a kind of object."""

    def __init__(
        self, source: Source, schema: GraphQLSchema, function_of: Callable[[GraphQLObjectType, PlannedField], str]
    ) -> None:
        self._source = source
        self._schema = schema
        self._function_of = function_of

    def lines(
        self,
        return_type: Any,
        value: str,
        target: str,
        at: str,
        planned: PlannedField,
        *,
        may_await: bool = False,
        field_at: str | None = None,
        depth: int = 0,
    ) -> list[str]:
        """Return lines that let `target` be the answer of `value`, or raise. `at` is the place's expression."""
        required = is_non_null_type(return_type)
        kind = return_type.of_type if required else return_type
        if is_leaf_type(kind):
            return self.leaf(kind, value, target, planned, required=required, may_await=may_await)
        if is_list_type(kind):
            return self._list(kind.of_type, value, target, at, planned, required=required, depth=depth)
        name = self._source.name
        lines = [f"{value} = {name(values.settled)}({value})"] if may_await else []
        lines += [f"if isinstance({value}, Exception): raise {value}"]
        write = self._abstract if is_abstract_type(kind) else self._object
        steps = write(kind, value, target, at, field_at or at, planned)
        is_null = f"{value} is None or {value} is {name(Undefined)}"
        return [*lines, *self._null(is_null, target, steps, planned, required=required)]

    def guard(self, return_type: GraphQLOutputType, target: str, at: str, planned: PlannedField) -> list[str]:
        """Return what follows a `try:`: the error goes further up, or its place is null."""
        name = self._source.name
        if is_non_null_type(return_type):
            steps = [f"raise {name(located)}(error, {name(planned)}, {at})"]
        else:
            steps = [f"{target} = None", f"run.add(error, {name(planned)}, {at})"]
        return ["except Exception as error:", *indented(steps)]

    def _null(self, is_null: str, target: str, steps: list[str], planned: PlannedField, *, required: bool) -> list[str]:
        if required:
            return [f"if {is_null}: {self._refuse_null(planned)}", *steps]
        return [f"if {is_null}: {target} = None", "else:", *indented(steps)]

    def _refuse_null(self, planned: PlannedField) -> str:
        return f"{self._source.name(values.refuse_null)}({self._source.name(planned)})"

    def leaf(
        self,
        leaf_type: GraphQLLeafType,
        value: str,
        target: str,
        planned: PlannedField,
        *,
        required: bool,
        may_await: bool,
    ) -> list[str]:
        """Return lines that let `target` be a scalar or enum as it is written, or raise."""
        name = self._source.name
        slowly = f"{target} = {name(values.leaf)}({value}, {name(leaf_type)})"
        if required:
            slowly = f"{target} = {name(values.required_leaf)}({value}, {name(leaf_type)}, {name(planned)})"
        as_it_is = values.as_it_is(leaf_type)
        if as_it_is is not None:
            test = as_it_is.format(value) if required else f"{value} is None or {as_it_is.format(value)}"
            return [f"if {test}: {target} = {value}", f"else: {slowly}"]
        table = values.names_by_text(leaf_type)
        if table is not None:
            quickly = f"{target} = {name(table)}.get({value}) if type({value}) is str else None"
            return [quickly, f"if {target} is None: {slowly}"]
        if may_await:
            return [slowly]
        written = f"{target} = {name(leaf_type.coerce_output_value)}({value})"
        # Any other answer, an awaitable or nothing at all, is looked at as graphql-core does.
        check = f"if type({target}) is not str: {slowly}"
        usual = f"type({value}) in {name(values.PLAIN_CLASSES)}"
        lines = [f"if {usual}:", *indented([written, check])]
        if not required:
            lines += [f"elif {value} is None: {target} = None"]
        return [*lines, f"else: {slowly}"]

    def _list(
        self, item_type: Any, value: str, target: str, at: str, planned: PlannedField, *, required: bool, depth: int
    ) -> list[str]:
        if depth >= MAX_NESTED_LISTS:
            raise NotCovered("lists in lists")
        name = self._source.name
        here, index, item, done = f"here{depth}", f"index{depth}", f"item{depth}", f"done{depth}"
        item_at = f"({here}, {index})"
        complete = self.lines(item_type, item, done, item_at, planned, field_at=here, depth=depth + 1)
        steps = [
            f"{here} = {at}",
            f"{target} = []",
            f"for {index}, {item} in enumerate({value}):",
            *indented(["try:", *indented(complete), *self.guard(item_type, done, item_at, planned)]),
            *indented([f"{target}.append({done})"]),
        ]
        return [
            f"if type({value}) is not list and type({value}) is not tuple:",
            *indented([f"{value} = {name(values.items)}({value}, {name(planned)})"]),
            *self._null(f"{value} is None", target, steps, planned, required=required),
        ]

    def _object(
        self, kind: GraphQLObjectType, value: str, target: str, at: str, field_at: str, planned: PlannedField
    ) -> list[str]:
        name = self._source.name
        info = f"{name(FieldInfo)}({name(planned)}, {field_at}, run)"
        checks = self._check_kind(kind, value, info, planned)
        return [*checks, f"{target} = {self._function_of(kind, planned)}({value}, {at}, run)"]

    def _check_kind(self, kind: GraphQLObjectType, value: str, info: str, planned: PlannedField) -> list[str]:
        if kind.is_type_of is None:
            return []
        if iscoroutinefunction(kind.is_type_of):
            raise NotCovered("a kind of object that is told by awaiting")
        name = self._source.name
        refuse = f"{name(values.check_kind)}(is_kind, {value}, {name(kind)}, {name(planned)})"
        checks = [f"is_kind = {name(kind.is_type_of)}({value}, {info})", f"if is_kind is not True: {refuse}"]
        # An `is_type_of` may say of which classes all values are of its kind, so that it need not be called.
        classes = getattr(kind.is_type_of, "classes", None)
        if not isinstance(classes, frozenset):
            return checks
        return [f"if type({value}) not in {name(classes)}:", *indented(checks)]

    def _abstract(
        self, kind: GraphQLAbstractType, value: str, target: str, at: str, field_at: str, planned: PlannedField
    ) -> list[str]:
        name = self._source.name
        resolve_type = kind.resolve_type or default_type_resolver
        if iscoroutinefunction(resolve_type):
            raise NotCovered("a kind of object that is told by awaiting")
        number = self._source.count("kinds")
        table = f"kinds_{number}"
        entries: list[str] = []
        tests: list[str] = []
        for possible in self._schema.get_possible_types(kind):
            function = f"{table}_{possible.name}"
            checks = self._check_kind(possible, "value", "info", planned)
            answering = self._function_of(possible, planned)
            self._source.add(
                [f"def {function}(value, info, at, run):", *indented([*checks, f"return {answering}(value, at, run)"])]
            )
            entries.append(f"{possible.name!r}: {function}")
            if possible.is_type_of is not None:
                tests.append(f"({name(possible.is_type_of)}, {answering}),")
        self._source.add([f"{table} = {{{', '.join(entries)}}}"])
        refuse = name(values.refuse_runtime_type)
        told = [
            f"kind = {name(resolve_type)}({value}, info, {name(kind)})",
            f"complete = {table}.get(kind) if type(kind) is str else None",
            f"if complete is None: {refuse}(kind, {value}, {name(kind)}, {name(planned)}, info)",
            f"{target} = complete({value}, info, {at}, run)",
        ]
        info = f"info = {name(FieldInfo)}({name(planned)}, {field_at}, run)"
        if not kinds.has_default(kind):
            return [info, *told]
        self._source.add([f"find_{number} = {name(kinds.Kinds)}({name(kind)}, ({' '.join(tests)})).find"])
        return [
            info,
            f"complete = find_{number}({value}, info)",
            f"if complete is not None: {target} = complete({value}, {at}, run)",
            "else:",
            *indented(told),
        ]
