"""What an operation costs: worked out once for a document, and for each request only where its variables matter.

A field costs its weight for each object that it may answer, with everything that is selected below it. Skipped
fields, fields written twice and every member of a union count: the cost is what the answer can be at the most.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_input_object_type,
    is_list_type,
)

from schema.costs import MAX_SIZE, ListSize, cost_of_field, cost_of_input

#: A page of a hundred bills with lines, payments and receipts is 2,000 points. Pages in pages in pages are more.
MAX_OPERATION_COST = 10_000
#: Of `__schema` and `__type`: the answer is long, and made without the database.
INTROSPECTION_COST = 10

Variables = Mapping[str, Any]
#: A number that only the variables tell.
Told = Callable[[Variables], float]


@dataclass(frozen=True, slots=True)
class Price:
    """A sum: what is known of a document, and products of what its variables tell."""

    fixed: float = 0.0
    varying: tuple[tuple[float, Told, "Price"], ...] = ()

    def points(self, variables: Variables) -> float:
        """Return the sum for these variables."""
        return self.fixed + sum(
            factor * told(variables) * price.points(variables) for factor, told, price in self.varying
        )

    def plus(self, other: "Price") -> "Price":
        """Return the sum of two."""
        return Price(self.fixed + other.fixed, self.varying + other.varying)

    def times(self, number: float | Told) -> "Price":
        """Return it so many times."""
        if callable(number):
            return Price(0.0, ((1.0, number, self),))
        scaled = tuple((factor * number, told, price) for factor, told, price in self.varying)
        return Price(self.fixed * number, scaled)


@dataclass(frozen=True, slots=True)
class OperationCost:
    """The cost of one operation of a document."""

    _price: Price
    _defaults: Variables

    def points(self, variables: Variables) -> int:
        """Return what the operation costs with these variables, which nobody has checked yet: 1 at the least."""
        if not self._price.varying:
            return max(1, math.ceil(self._price.fixed))
        return max(1, math.ceil(self._price.points({**self._defaults, **variables})))


def cost_of(
    schema: GraphQLSchema, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> OperationCost:
    """Return the cost of an operation that is valid and within its limits."""
    defaults = {
        definition.variable.name.value: _plain(definition.default_value, {})
        for definition in operation.variable_definitions or ()
        if definition.default_value is not None
    }
    root = schema.get_root_type(operation.operation)
    price = _Pricing(schema, fragments).selections(root, operation.selection_set, {})
    return OperationCost(price, defaults)


@dataclass(frozen=True, slots=True)
class _Pricing:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]

    def selections(self, parent: Any, selections: SelectionSetNode | None, sized: Mapping[str, float | Told]) -> Price:
        """Return the price of what is selected of one parent; `sized` are lists whose size the parent's field told."""
        price = Price()
        for selection in selections.selections if selections is not None else ():
            if isinstance(selection, FieldNode):
                price = price.plus(self._field(parent, selection, sized))
                continue
            fragment: InlineFragmentNode | FragmentDefinitionNode
            if isinstance(selection, FragmentSpreadNode):
                fragment = self.fragments[selection.name.value]
            else:
                assert isinstance(selection, InlineFragmentNode)
                fragment = selection
            condition = fragment.type_condition
            kind = parent if condition is None else self.schema.get_type(condition.name.value)
            price = price.plus(self.selections(kind, fragment.selection_set, sized))
        return price

    def _field(self, parent: Any, node: FieldNode, sized: Mapping[str, float | Told]) -> Price:
        name = node.name.value
        if name.startswith("__"):
            return Price() if name == "__typename" else Price(INTROSPECTION_COST)
        definition: GraphQLField = parent.fields[name]
        cost = cost_of_field(definition)
        size: float | Told = sized.get(name, 1)
        below: dict[str, float | Told] = {}
        if cost.size is not None:
            told = _size(cost.size, node)
            if cost.size.sized_fields:
                below = dict.fromkeys(cost.size.sized_fields, told)
            else:
                size = told
        one = Price(cost.weight).plus(self.selections(get_named_type(definition.type), node.selection_set, below))
        return one.times(size).plus(_inputs(definition, node))


def _size(stated: ListSize, node: FieldNode) -> float | Told:
    """Return the size of a list: of the first slicing argument that is given, else the assumed one."""
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    for name in stated.slicing_arguments or ():
        value = given.get(name)
        if isinstance(value, VariableNode):
            variable = value.name.value
            return lambda variables: _size_of(variables.get(variable), stated.assumed_size)
        if value is not None:
            return _size_of(_plain(value, {}), stated.assumed_size)
    return stated.assumed_size


def _size_of(value: object, assumed_size: int) -> int:
    if value is None:
        return assumed_size
    # A value by itself, where a list is wanted, is a list of one. Whatever is no size at all is refused later.
    size = len(value) if isinstance(value, list) else value if isinstance(value, int) else 1
    return min(max(size, 0), MAX_SIZE)


def _plain(value: ValueNode, variables: Variables) -> Any:
    """Return as much of a literal as sizes are told by: lists, objects and numbers; anything else is True."""
    if isinstance(value, VariableNode):
        return variables.get(value.name.value)
    if isinstance(value, NullValueNode):
        return None
    if isinstance(value, ListValueNode):
        return [_plain(entry, variables) for entry in value.values]
    if isinstance(value, ObjectValueNode):
        return {field.name.value: _plain(field.value, variables) for field in value.fields}
    if isinstance(value, IntValueNode):
        # An id may be written as a number of any length, which Python would refuse to read.
        return int(value.value) if len(value.value) <= len(str(MAX_SIZE)) else MAX_SIZE
    return True


def _inputs(definition: GraphQLField, node: FieldNode) -> Price:
    """Return the price of the arguments: of lists of entries that each are work."""
    price = Price()
    for argument in node.arguments or ():
        kind = definition.args[argument.name.value].type
        if not _is_weighted(kind):
            continue
        if _has_variable(argument.value):
            price = price.plus(Price(1.0).times(_told_by(kind, argument.value)))
        else:
            price = price.plus(Price(_weigh(kind, _plain(argument.value, {}))))
    return price


def _told_by(kind: Any, value: ValueNode) -> Told:
    return lambda variables: _weigh(kind, _plain(value, variables))


def _has_variable(value: ValueNode) -> bool:
    if isinstance(value, ListValueNode):
        return any(map(_has_variable, value.values))
    if isinstance(value, ObjectValueNode):
        return any(_has_variable(field.value) for field in value.fields)
    return isinstance(value, VariableNode)


def _is_weighted(kind: Any) -> bool:
    """Return whether anything below an input's type costs. No input of ours holds itself: a test walks them."""
    named = get_named_type(kind)
    return is_input_object_type(named) and any(
        cost_of_input(field) > 0 or _is_weighted(field.type) for field in named.fields.values()
    )


def _weigh(kind: Any, value: Any) -> float:
    kind = get_nullable_type(kind)
    if not _is_weighted(kind) or value is None:
        return 0.0
    if is_list_type(kind):
        return sum(_weigh(kind.of_type, entry) for entry in (value if isinstance(value, list) else [value]))
    points = 0.0
    for name, field in kind.fields.items():
        given = value.get(name) if isinstance(value, dict) else None
        if given is not None:
            points += cost_of_input(field) * (len(given) if isinstance(given, list) else 1)
            points += _weigh(field.type, given)
    return points
