"""The schema against the contract, and against its own printed form."""

from pathlib import Path

from graphql import DirectiveNode, FieldDefinitionNode, build_schema, find_breaking_changes, parse, print_ast

from schema.contract import printed, schema

PRINTED = Path(__file__).parents[2] / "schema" / "schema.graphql"
CONTRACT = Path(__file__).parent / "contract.graphql"


def scopes_by_field(sdl: str) -> dict[str, str]:
    found = {}
    for definition in parse(sdl).definitions:
        for field in getattr(definition, "fields", None) or ():
            if isinstance(field, FieldDefinitionNode):
                directives: tuple[DirectiveNode, ...] = tuple(field.directives or ())
                directives = tuple(one for one in directives if one.name.value == "requiresScopes")
                found[f"{definition.name.value}.{field.name.value}"] = " ".join(map(print_ast, directives))  # type: ignore[attr-defined]
    return found


def test_nothing_of_the_contract_breaks() -> None:
    contract = build_schema(CONTRACT.read_text(encoding="utf-8"))
    assert find_breaking_changes(contract, schema._schema) == []
    assert find_breaking_changes(contract, build_schema(printed())) == []


def test_every_field_of_the_contract_needs_the_scopes_that_it_names() -> None:
    ours = scopes_by_field(printed())
    for field, directives in scopes_by_field(CONTRACT.read_text(encoding="utf-8")).items():
        assert ours[field] == directives, field


def test_the_printed_schema_is_that_of_the_code() -> None:
    assert PRINTED.read_text(encoding="utf-8") == printed(), "run: make schema"


def test_everything_is_described() -> None:
    for name, kind in schema._schema.type_map.items():
        if not name.startswith("__") and name not in ("String", "Int", "Boolean", "ID", "Float"):
            is_union = name.endswith("Result")
            assert is_union or kind.description, name
