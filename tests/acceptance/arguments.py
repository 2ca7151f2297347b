"""Every argument of the printed schema that takes text or an id, and which of them a request fills."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    ArgumentNode,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    build_schema,
    get_named_type,
    is_introspection_type,
    parse,
    value_from_ast_untyped,
    visit,
)

PRINTED = Path(__file__).parents[2] / "schema" / "schema.graphql"


@cache
def schema() -> GraphQLSchema:
    """Return the schema as it is printed."""
    return build_schema(PRINTED.read_text(encoding="utf-8"))


def places(*scalars: str) -> set[str]:
    """Return the coordinates of all arguments and input fields of scalars: `Query.node(id:)`, `BillInput.name`."""
    found = set()
    for kind in schema().type_map.values():
        if is_introspection_type(kind):
            continue
        if isinstance(kind, GraphQLInputObjectType):
            found |= {
                f"{kind.name}.{name}" for name, at in kind.fields.items() if get_named_type(at.type).name in scalars
            }
        elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            found |= {
                f"{kind.name}.{field}({name}:)"
                for field, of in kind.fields.items()
                for name, argument in of.args.items()
                if get_named_type(argument.type).name in scalars
            }
    return found


def filled(document: str, variables: dict[str, Any], value: str) -> set[str]:
    """Return the coordinates at which the request has this value."""
    found: set[str] = set()
    types = TypeInfo(schema())

    class Looking(Visitor):
        def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
            parent, field, argument = types.get_parent_type(), types.get_field_def(), types.get_argument()
            assert parent is not None
            assert field is not None
            assert argument is not None
            given = (
                variables.get(node.value.name.value)
                if isinstance(node.value, VariableNode)
                else value_from_ast_untyped(node.value, variables)
            )
            name = next(name for name, of in parent.fields.items() if of is field)  # type: ignore[union-attr]
            found.update(_filled(f"{parent.name}.{name}({node.name.value}:)", argument.type, given, value))

    visit(parse(document), TypeInfoVisitor(types, Looking()))
    return found


def _filled(place: str, kind: Any, given: Any, value: str) -> Iterator[str]:
    if isinstance(given, list):
        for member in given:
            yield from _filled(place, kind, member, value)
    elif isinstance(given, dict):
        named = get_named_type(kind)
        for name, member in given.items():
            yield from _filled(f"{named.name}.{name}", named.fields[name].type, member, value)
    elif given == value:
        yield place
