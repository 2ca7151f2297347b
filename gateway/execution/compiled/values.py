"""Completing what a resolver returned, where the generated code meets anything but the usual."""

import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Final, cast
from uuid import UUID

from graphql import (
    GraphQLAbstractType,
    GraphQLError,
    GraphQLID,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    Undefined,
    is_enum_type,
)
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.executor import Executor, invalid_return_type_error
from graphql.pyutils import is_awaitable, is_iterable
from graphql.type import GraphQLBoolean, GraphQLInt
from graphql.type.scalars import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT

from gateway.execution.compiled.running import FieldInfo, PlannedField

#: Of values that are neither null nor an exception: what scalars are mostly made of.
PLAIN_CLASSES: Final = frozenset({str, int, float, bool, Decimal, datetime.date, datetime.datetime, UUID})


def as_it_is(leaf_type: GraphQLLeafType) -> str | None:
    """Return the expression, over `{0}`, of which values are a built-in scalar's answer as they are."""
    if leaf_type is GraphQLString or leaf_type is GraphQLID:
        return "type({0}) is str"
    if leaf_type is GraphQLBoolean:
        return "type({0}) is bool"
    if leaf_type is GraphQLInt:
        return f"type({{0}}) is int and {GRAPHQL_MIN_INT} <= {{0}} <= {GRAPHQL_MAX_INT}"
    return None


def names_by_text(leaf_type: GraphQLLeafType) -> dict[str, str] | None:
    """Return an enum's names by those of its values that are plain text, as the enum itself writes them."""
    if not is_enum_type(leaf_type):
        return None
    values = [value.value for value in leaf_type.values.values()]
    texts = [str.__str__(value) for value in values if isinstance(value, str)]
    return {text: leaf_type.coerce_output_value(text) for text in texts} if len(texts) == len(values) else None


def leaf(value: Any, leaf_type: GraphQLLeafType) -> Any:
    """Return a scalar or enum as graphql-core writes it; None for null."""
    if isinstance(value, Exception):
        raise value
    if value is None or value is Undefined:
        return None
    return Executor.complete_leaf_value(leaf_type, settled(value))


def required_leaf(value: Any, leaf_type: GraphQLLeafType, planned: PlannedField) -> Any:
    """Return a scalar or enum that may not be null."""
    written = leaf(value, leaf_type)
    if written is None:
        refuse_null(planned)
    return written


def refuse_null(planned: PlannedField) -> None:
    """Raise what graphql-core raises of a null that may not be."""
    raise TypeError(f"Cannot return null for non-nullable field {planned.parent_type}.{planned.name}.")


def settled(value: Any) -> Any:
    """Return what a resolver below the root returned. Raises TypeError where that is yet to be awaited."""
    if is_awaitable(value):
        close = getattr(value, "close", None)
        if close is not None:
            close()
        raise TypeError("A compiled plan awaits root fields only. Declare the resolver `async def`.")
    return value


def items(value: Any, planned: PlannedField) -> Any:
    """Return what can be iterated over; None for null."""
    if isinstance(value, Exception):
        raise value
    if value is None or value is Undefined:
        return None
    if not is_iterable(settled(value)):
        message = f"Expected Iterable, but did not find one for field '{planned.parent_type}.{planned.name}'."
        raise GraphQLError(message)
    return value


def check_kind(is_kind: Any, value: Any, object_type: GraphQLObjectType, planned: PlannedField) -> None:
    """Raise what graphql-core raises of a value that is no record of its type."""
    if not settled(is_kind):
        raise invalid_return_type_error(object_type, value, [FieldDetails(node, None) for node in planned.nodes])


def refuse_runtime_type(
    name: Any, value: Any, abstract_type: GraphQLAbstractType, planned: PlannedField, info: FieldInfo
) -> None:
    """Raise what graphql-core raises of a name that is no type of an interface or union."""
    settled(name)
    details = [FieldDetails(node, None) for node in planned.nodes]
    schema: GraphQLSchema = planned.of.schema
    # The schema is all that graphql-core's method reads of its executor.
    executor = cast(Any, SimpleNamespace(schema=schema))
    Executor.ensure_valid_runtime_type(executor, name, abstract_type, details, cast(Any, info), value)
    raise AssertionError(f"{name} is a possible type of {abstract_type}, and has no plan.")
