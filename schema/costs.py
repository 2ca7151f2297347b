"""What each field costs, stated in the schema: the numbers in one map, in the words of IBM's GraphQL cost directives.

A point is an object that the answer may hold. A list counts what is below it as often as it may have members.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import strawberry
from graphql import (
    GraphQLField,
    GraphQLInputField,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_input_object_type,
    is_interface_type,
    is_list_type,
    is_object_type,
)
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField

from resolvers.pages import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION, Location.INPUT_FIELD_DEFINITION],
    description="How many points a field costs, or each entry of an input's list. Without it a field that answers "
    "an object costs 1 for each object, and any other field and input nothing.",
)
class Cost:
    """The directive @cost."""

    weight: str


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="How many members a list counts for: what a slicing argument says, as a number or by the length of "
    "a list, at most 100; otherwise `assumedSize`. With `sizedFields` it is those fields of the answer that are "
    "the lists.",
)
class ListSize:
    """The directive @listSize."""

    assumed_size: int
    slicing_arguments: list[str] | None = strawberry.UNSET
    sized_fields: list[str] | None = strawberry.UNSET


@dataclass(frozen=True, slots=True)
class FieldCost:
    """What one field costs: points for each object, and how many objects there may be."""

    weight: float
    #: None: it is no list, and no connection.
    size: ListSize | None = None


#: No page and no list of ids is longer: the resolvers refuse it.
MAX_SIZE = MAX_PAGE_SIZE
#: A mutation locks, writes, and waits for the disk: some ten times the work of reading one object.
MUTATION_WEIGHT = 10
#: Of a list that the map below does not name.
DEFAULT_LIST_SIZE = 10

#: Points where the default is not right.
WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        # Two keyed hashes, and a person's sealed name to open and compare.
        "Query.payer": 5,
        # A day is added up.
        "Query.settlementDay": 5,
        # Each bill is a row and a sealed name; each entry is a row of a comparison.
        "AssessBillsInput.bills": 1,
        "ReconcileDayInput.entries": 0.1,
    }
)
#: How many members a list has that is no page: what is usual, not what is possible.
LIST_SIZES: Mapping[str, int] = MappingProxyType(
    {
        "Payer.enrolments": 2,
        "Payer.payablePeriods": 4,
        "PeriodNotPayable.payable": 4,
        "PayablePeriod.tiers": 10,
        "ContributionSchedule.tiers": 10,
        "TierNotOffered.offered": 10,
        "Quote.lines": 12,
        "AssessedBill.lines": 12,
        "BillsAssessed.bills": 100,
    }
)
#: Lists that are as long as an argument says.
SLICED: Mapping[str, str] = MappingProxyType({"Query.nodes": "ids"})


def state_costs(schema: GraphQLSchema) -> None:
    """Put the directives on the fields of a schema that Strawberry has built, for its printer and for the gateway.

    Connections are known by their name, as the Relay specification has it.
    """
    for kind in list(schema.type_map.values()):
        if kind.name.startswith("__") or not (
            is_object_type(kind) or is_interface_type(kind) or is_input_object_type(kind)
        ):
            continue
        for name, field in kind.fields.items():
            definition = field.extensions.get("strawberry-definition")
            if isinstance(definition, StrawberryField):
                stated = _stated(schema, kind, name, field)
                definition.directives = [*definition.directives, *stated]


def _stated(schema: GraphQLSchema, kind: Any, name: str, field: GraphQLField | GraphQLInputField) -> list[object]:
    where = f"{kind.name}.{name}"
    stated: list[object] = []
    weight = WEIGHTS.get(where, MUTATION_WEIGHT if kind is schema.mutation_type else None)
    if kind.name.endswith("Connection"):
        # A page's frame is no object of its own: the nodes are what is read.
        weight = 0
    if weight is not None:
        stated.append(Cost(weight=f"{weight:g}"))
    named = get_named_type(field.type)
    if not is_composite_type(named) or kind.name.endswith("Connection"):
        return stated
    if named.name.endswith("Connection"):
        stated.append(ListSize(assumed_size=DEFAULT_PAGE_SIZE, slicing_arguments=["first"], sized_fields=["edges"]))
    elif where in SLICED:
        stated.append(ListSize(assumed_size=MAX_SIZE, slicing_arguments=[SLICED[where]]))
    elif is_list_type(get_nullable_type(field.type)):
        stated.append(ListSize(assumed_size=LIST_SIZES.get(where, DEFAULT_LIST_SIZE)))
    return stated


def cost_of_field(field: GraphQLField) -> FieldCost:
    """Return what a field of the built schema costs, as its directives say."""
    weight = 1.0 if is_composite_type(get_named_type(field.type)) else 0.0
    size = None
    for directive in _directives(field):
        if isinstance(directive, Cost):
            weight = float(directive.weight)
        elif isinstance(directive, ListSize):
            size = directive
    return FieldCost(weight, size)


def cost_of_input(field: GraphQLInputField) -> float:
    """Return what an input's field costs, or each entry of it where it is a list."""
    return next((float(stated.weight) for stated in _directives(field) if isinstance(stated, Cost)), 0.0)


def _directives(field: GraphQLField | GraphQLInputField) -> list[object]:
    definition = field.extensions.get("strawberry-definition")
    return list(definition.directives) if isinstance(definition, StrawberryField) else []
