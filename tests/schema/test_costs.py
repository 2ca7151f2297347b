"""What the schema says of costs is what the gateway reckons with, and every list has a size."""

from graphql import (
    build_schema,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_input_object_type,
    is_list_type,
)

from schema import costs
from schema.contract import printed, schema

CORE = schema._schema


def test_every_list_of_objects_has_a_size() -> None:
    for kind in CORE.type_map.values():
        fields = {} if kind.name.startswith("__") else getattr(kind, "fields", {})
        for name, field in fields.items():
            named = get_named_type(field.type)
            if not is_composite_type(named) or kind.name.endswith("Connection"):
                continue
            many = is_list_type(get_nullable_type(field.type)) or named.name.endswith("Connection")
            assert (costs.cost_of_field(field).size is not None) == many, f"{kind.name}.{name}"


def test_every_mutation_says_what_it_costs() -> None:
    assert CORE.mutation_type is not None
    for name, field in CORE.mutation_type.fields.items():
        assert costs.cost_of_field(field).weight >= costs.MUTATION_WEIGHT, name


def test_the_numbers_stand_at_fields_that_there_are() -> None:
    for where in [*costs.WEIGHTS, *costs.LIST_SIZES, *costs.SLICED]:
        kind, _, field = where.partition(".")
        assert field in CORE.type_map[kind].fields, where  # type: ignore[attr-defined]


def test_the_printed_schema_states_them() -> None:
    stated = printed()
    assert 'Payer @requiresScopes(scopes: [["payer:read"]]) @cost(weight: "5")' in stated
    assert '@listSize(assumedSize: 20, slicingArguments: ["first"], sizedFields: ["edges"])' in stated
    assert {"cost", "listSize"} <= {directive.name for directive in build_schema(stated).directives}


def test_no_input_holds_itself() -> None:
    def walk(kind: object, inside: tuple[str, ...]) -> None:
        named = get_named_type(kind)  # type: ignore[call-overload]
        if is_input_object_type(named):
            assert named.name not in inside
            for field in named.fields.values():
                walk(field.type, (*inside, named.name))

    for kind in CORE.type_map.values():
        walk(kind, ())
