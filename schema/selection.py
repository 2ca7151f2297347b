"""Turns what an operation selects into what a resolver is asked: `resolvers.asking`, free of GraphQL."""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    SelectionNode,
    SelectionSetNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_argument_values,
    get_directive_values,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_object_type,
)

from resolvers.asking import Ask, Asked, key_of
from schema.context import Info

_HUMP = re.compile(r"(?<!^)(?=[A-Z])")


@lru_cache(maxsize=512)  # the schema's field names, which are fewer
def snake_case(name: str) -> str:
    """Return a GraphQL name as the resolvers write it: payablePeriods, payable_periods."""
    return _HUMP.sub("_", name).lower()


#: An attribute, its arguments, the type of its value, and every place where it is selected.
_Found = tuple[str, dict[str, Any], Any, list[FieldNode]]


@dataclass(frozen=True, slots=True)
class _Operation:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Any
    #: The variables on which it depends what is asked, other than by @skip and @include.
    arguments: set[str]


def asked_of(info: Info) -> Mapping[str, Asked]:
    """Return what is asked of the value of a root field, by the kind of record that the value may be."""
    raw: GraphQLResolveInfo[Any] = info._raw_info
    # A compiled plan hands in where to keep what follows from its document: a plan has its conditions' outcome in it.
    memo: dict[str, _Kept] | None = getattr(raw, "memo", None)
    if memo is None:
        return _asked_anew(raw, set())
    kept = memo.get("asked")
    if kept is not None:
        variables, answers = kept
        values = _values(raw, variables)
        if values in answers:
            return answers[values]
        if len(answers) >= MAX_KEPT:
            answers.clear()
        answers[values] = _asked_anew(raw, set())
        return answers[values]
    found: set[str] = set()
    asked = _asked_anew(raw, found)
    variables = tuple(sorted(found))
    memo["asked"] = variables, {_values(raw, variables): asked}
    return asked


#: For a field of a plan: the variables among the arguments below it, and what is asked by their values.
_Kept = tuple[tuple[str, ...], dict[Hashable, Mapping[str, Asked]]]
#: Values of one plan's variables, beyond which all are worked out anew: sizes of pages are few, cursors are not.
MAX_KEPT = 16


def _values(raw: GraphQLResolveInfo[Any], variables: tuple[str, ...]) -> Hashable:
    # A variable of the arguments below a root is a number, a text or an enum's value, or it was left out.
    return tuple(raw.variable_values.coerced.get(name, Undefined) for name in variables)


def _asked_anew(raw: GraphQLResolveInfo[Any], variables: set[str]) -> dict[str, Asked]:
    operation = _Operation(raw.schema, raw.fragments, raw.variable_values, variables)
    return _by_kind(operation, get_named_type(raw.return_type), raw.field_nodes)


def _by_kind(operation: _Operation, named_type: Any, nodes: Sequence[FieldNode]) -> dict[str, Asked]:
    kinds = operation.schema.get_possible_types(named_type) if is_abstract_type(named_type) else [named_type]
    return {kind.name: _asked(operation, kind, nodes) for kind in kinds if is_object_type(kind)}


def _asked(operation: _Operation, kind: GraphQLObjectType, nodes: Sequence[FieldNode]) -> Asked:
    """Return the attributes of records of a kind: those that lead on, and the names of the plain ones."""
    found: dict[Hashable, _Found] = {}
    plain: set[str] = set()
    for node in nodes:
        for field in _fields(operation, kind, node.selection_set):
            definition = kind.fields.get(field.name.value)
            if definition is None:
                continue
            name = snake_case(field.name.value)
            if not is_composite_type(get_named_type(definition.type)):
                plain.add(name)
                continue
            for each in field.arguments or ():
                operation.arguments.update(_variables_of(each.value))
            given = get_argument_values(definition, field, operation.variables)
            arguments = {snake_case(name): given.get(name) for name in definition.args}
            entry: _Found = (name, arguments, get_named_type(definition.type), [])
            found.setdefault(key_of(name, *arguments.values()), entry)[3].append(field)
    asks = [
        Ask(name, arguments, _by_kind(operation, named_type, fields))
        for name, arguments, named_type, fields in found.values()
    ]
    return Asked(asks, frozenset(plain))


def _variables_of(value: ValueNode) -> Iterator[str]:
    if isinstance(value, VariableNode):
        yield value.name.value
    elif isinstance(value, ListValueNode):
        for item in value.values:
            yield from _variables_of(item)
    elif isinstance(value, ObjectValueNode):
        for each in value.fields:
            yield from _variables_of(each.value)


def _fields(operation: _Operation, kind: GraphQLObjectType, selections: SelectionSetNode | None) -> Iterator[FieldNode]:
    for selection in selections.selections if selections is not None else ():
        if not _included(operation, selection):
            continue
        if isinstance(selection, FieldNode):
            yield selection
            continue
        if isinstance(selection, FragmentSpreadNode):
            fragment: Any = operation.fragments[selection.name.value]
        else:
            assert isinstance(selection, InlineFragmentNode)
            fragment = selection
        if _applies(operation, kind, fragment.type_condition):
            yield from _fields(operation, kind, fragment.selection_set)


def _included(operation: _Operation, selection: SelectionNode) -> bool:
    skip = get_directive_values(GraphQLSkipDirective, selection, operation.variables)
    if skip is not None and skip["if"]:
        return False
    include = get_directive_values(GraphQLIncludeDirective, selection, operation.variables)
    return include is None or bool(include["if"])


def _applies(operation: _Operation, kind: GraphQLObjectType, type_condition: Any) -> bool:
    if type_condition is None or type_condition.name.value == kind.name:
        return True
    condition = operation.schema.get_type(type_condition.name.value)
    return is_abstract_type(condition) and operation.schema.is_sub_type(condition, kind)
