"""Deny by default: no field leads to data without a scope or a stated reason why not."""

from collections.abc import Iterator

import pytest
from graphql import GraphQLObjectType, GraphQLSchema, get_named_type, is_composite_type, is_object_type

from auth import scopes
from schema.access import UNSCOPED
from schema.contract import schema
from schema.scopes import NODE_SCOPES, needs_of_field

CORE: GraphQLSchema = schema._schema


def leading_fields() -> Iterator[tuple[str, bool]]:
    """Every root field, and every field to an object: with whether it names scopes."""
    roots = (CORE.query_type, CORE.mutation_type)
    for name, kind in CORE.type_map.items():
        if name.startswith("__") or not is_object_type(kind):
            continue
        assert isinstance(kind, GraphQLObjectType)
        for field, definition in kind.fields.items():
            if kind in roots or is_composite_type(get_named_type(definition.type)):
                yield f"{name}.{field}", any(True for _ in needs_of_field(definition))


def test_every_field_that_leads_to_data_names_a_scope_or_a_reason() -> None:
    excused = frozenset().union(*UNSCOPED.values())
    unscoped = {name for name, scoped in leading_fields() if not scoped}
    assert unscoped - excused == set(), "name the scopes, or the reason in schema/access.py"
    assert excused - unscoped == set(), "these reasons excuse nothing any more"


def test_no_mutation_is_without_a_scope() -> None:
    assert not [name for name, scoped in leading_fields() if name.startswith("Mutation.") and not scoped]


def test_a_reason_is_given_once_for_a_field() -> None:
    assert sum(map(len, UNSCOPED.values())) == len(frozenset().union(*UNSCOPED.values()))


@pytest.mark.parametrize("kind", sorted(kind.name for kind in CORE.get_possible_types(CORE.type_map["Node"])))  # type: ignore[arg-type]
def test_every_object_with_an_id_is_under_scopes_by_way_of_node(kind: str) -> None:
    assert NODE_SCOPES[kind]
    assert NODE_SCOPES[kind] <= set(scopes.ALL)
