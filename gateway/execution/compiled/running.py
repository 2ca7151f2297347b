"""What one execution of a plan carries, and what a resolver is told of its field."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    is_non_null_type,
)
from graphql.error import located_error
from graphql.execution.values import VariableValues
from graphql.pyutils import Path, gather_with_cancel, is_awaitable
from graphql.type.definition import GraphQLResolveInfoHelpers

#: A place in the response: the place above it and a key, as nested pairs. None: the response itself. A pair is what
#: is made fastest, and most places are never looked at.
Place = tuple[Any, str | int] | None


@dataclass(frozen=True, slots=True)
class PlannedOperation:
    """What all fields of a plan share."""

    schema: GraphQLSchema
    fragments: dict[str, FragmentDefinitionNode]
    operation: OperationDefinitionNode


@dataclass(frozen=True, slots=True, eq=False)
class PlannedField:
    """A field of a plan: every place in the document that selects it under one key."""

    of: PlannedOperation
    key: str
    name: str
    nodes: tuple[FieldNode, ...]
    parent_type: GraphQLObjectType
    return_type: GraphQLOutputType
    #: For a resolver to keep what follows from the plan's document alone, and from no variable but its conditions.
    memo: dict[str, Any] = field(default_factory=dict)


class Values(Protocol):
    """The variables of one execution."""

    coerced: dict[str, Any]

    def with_sources(self) -> VariableValues:
        """Return them with what each was read from."""


class Run:
    """One execution: its variables and context, and the errors so far."""

    __slots__ = ("_nulled", "_values", "context", "errors", "root_value", "variables")

    def __init__(self, values: Values, context: object) -> None:
        self._values = values
        self.variables: Mapping[str, Any] = values.coerced
        self.context = context
        self.root_value = None
        self.errors: list[GraphQLError] = []
        self._nulled: set[Place] = set()

    @property
    def variable_values(self) -> VariableValues:
        """Return the variables as graphql-core has them."""
        return self._values.with_sources()

    def add(self, error: Exception, planned: PlannedField, place: Place) -> None:
        """Keep the error of a field that becomes null."""
        self.keep(located(error, planned, place), place)

    def keep(self, error: GraphQLError, place: Place) -> None:
        """Keep a located error, unless the place that it nulls lies in one that is null already."""
        above = place
        while above is not None:
            if above in self._nulled:
                return
            above = above[0]
        if None not in self._nulled:
            self._nulled.add(place)
            self.errors.append(error)


def located(error: Exception, planned: PlannedField, place: Place) -> GraphQLError:
    """Return the error with its field's nodes and path, unless it has a path already."""
    return located_error(error, list(planned.nodes), keys_of(place))


def keys_of(place: Place) -> list[str | int]:
    """Return a place as the response's path."""
    keys: list[str | int] = []
    while place is not None:
        place, key = place
        keys.append(key)
    keys.reverse()
    return keys


class FieldInfo:
    """GraphQLResolveInfo, by the same names, each worked out when a resolver asks for it."""

    __slots__ = ("_place", "_planned", "_run")

    def __init__(self, planned: PlannedField, place: Place, run: Run) -> None:
        self._planned = planned
        self._place = place
        self._run = run

    @property
    def memo(self) -> dict[str, Any]:
        """Return where a resolver keeps what follows from the plan's document alone; graphql-core has no such."""
        return self._planned.memo

    @property
    def field_name(self) -> str:  # noqa: D102
        return self._planned.name

    @property
    def field_nodes(self) -> list[FieldNode]:  # noqa: D102
        return list(self._planned.nodes)

    @property
    def return_type(self) -> GraphQLOutputType:  # noqa: D102
        return self._planned.return_type

    @property
    def parent_type(self) -> GraphQLObjectType:  # noqa: D102
        return self._planned.parent_type

    @property
    def path(self) -> Path:
        """Return the path. Only its last key has the name of its type: a plan doesn't keep the others."""
        path: Path | None = None
        keys = keys_of(self._place)
        for key in keys[:-1]:
            path = Path(path, key, None)
        return Path(path, keys[-1], self._planned.parent_type.name)

    @property
    def schema(self) -> GraphQLSchema:  # noqa: D102
        return self._planned.of.schema

    @property
    def fragments(self) -> dict[str, FragmentDefinitionNode]:  # noqa: D102
        return self._planned.of.fragments

    @property
    def root_value(self) -> Any:  # noqa: D102
        return self._run.root_value

    @property
    def operation(self) -> OperationDefinitionNode:  # noqa: D102
        return self._planned.of.operation

    @property
    def variable_values(self) -> VariableValues:  # noqa: D102
        return self._run.variable_values

    @property
    def context(self) -> Any:  # noqa: D102
        return self._run.context

    @property
    def is_awaitable(self) -> Any:  # noqa: D102
        return is_awaitable

    @property
    def abort_signal(self) -> None:  # noqa: D102
        return None

    @property
    def async_helpers(self) -> GraphQLResolveInfoHelpers:  # noqa: D102
        return GraphQLResolveInfoHelpers(gather=lambda values: gather_with_cancel(*values), track=_track)


#: The event loop itself holds tasks weakly.
_in_background: set["asyncio.Future[Any]"] = set()


def settle_in_background(awaitables: Iterable[Awaitable[Any]]) -> None:
    """Let what runs beside a field that failed come to its end, without anyone waiting for it."""
    future = asyncio.gather(*awaitables, return_exceptions=True)
    _in_background.add(future)
    future.add_done_callback(_in_background.discard)


def _track(values: Iterable[Any]) -> None:
    awaitables = [value for value in values if is_awaitable(value)]
    if awaitables:
        settle_in_background(awaitables)


def must_not_be_null(planned: PlannedField) -> bool:
    """Return whether a null in this field's place makes the place above it null."""
    return is_non_null_type(planned.return_type)
