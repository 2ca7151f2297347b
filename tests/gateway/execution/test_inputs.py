"""Arguments are read and made as graphql-core and Strawberry do, in fewer steps."""

import datetime
import enum
from typing import Any

import pytest
import strawberry
from graphql import GraphQLInputObjectType, GraphQLNonNull, Undefined
from graphql.utilities import coerce_input_value
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry import UNSET, Maybe, relay
from strawberry.types.arguments import convert_argument

from gateway.execution.compiled.arguments import _coercer
from gateway.execution.compiled.inputs import NotConverted, conversion_of
from schema.contract import schema as contract


@strawberry.enum
class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@strawberry.input
class Inner:
    number: int
    colour: Colour = Colour.RED
    note: str | None = "none"
    other: str | None
    left: int | None = UNSET
    renamed: str | None = strawberry.field(name="byAnotherName", default=None)


@strawberry.input
class Outer:
    one: Inner
    several: list[Inner]
    some: list[Inner | None] | None = None
    days: list[datetime.date] = strawberry.field(default_factory=list)
    matrix: list[list[int]] | None = UNSET


@strawberry.input
class Endless:
    name: str
    inside: "Endless | None" = None


@strawberry.input
class Perhaps:
    number: Maybe[int]


@strawberry.type
class Query:
    @strawberry.field
    def one(
        self,
        outer: Outer,
        endless: Endless,
        perhaps: Perhaps,
        global_id: relay.GlobalID,
        texts: list[str],
    ) -> int:
        return 1


SCHEMA = strawberry.Schema(Query)
ARGUMENTS = {
    argument.python_name: argument.type
    for argument in SCHEMA.schema_converter.type_map["Query"].definition.fields[0].arguments  # type: ignore[union-attr]
}
INNER = {"number": 1}
FULL = {"number": 2, "colour": Colour.BLUE, "note": None, "other": "x", "left": 3, "byAnotherName": "y"}


def converted(argument_type: Any, value: Any) -> Any:
    converter = SCHEMA.schema_converter
    theirs = convert_argument(value, argument_type, converter.scalar_registry, converter.config)
    convert = conversion_of(argument_type, converter)
    ours = value if convert is None else convert(value)
    assert ours == theirs
    assert type(ours) is type(theirs)
    return ours


@pytest.mark.parametrize(
    "value",
    [
        {"one": INNER, "several": []},
        {"one": FULL, "several": [INNER, FULL], "some": [None, INNER], "days": [datetime.date(2020, 1, 1)]},
        {"one": INNER, "several": [FULL], "some": None, "matrix": [[1, 2], []]},
        {"one": INNER, "several": [FULL], "matrix": None},
    ],
)
def test_an_input_object_is_made_as_strawberry_makes_it(value: dict[str, Any]) -> None:
    made = converted(ARGUMENTS["outer"], value)
    assert isinstance(made.one, Inner)


def test_a_list_is_a_copy() -> None:
    texts = ["a", "b"]
    assert converted(ARGUMENTS["texts"], texts) is not texts


@pytest.mark.parametrize("name", ["endless", "perhaps", "global_id"])
def test_what_strawberry_treats_in_its_own_way_is_left_to_it(name: str) -> None:
    with pytest.raises(NotConverted):
        conversion_of(ARGUMENTS[name], SCHEMA.schema_converter)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 2**40)
    | st.floats(allow_nan=False)
    | st.sampled_from(
        ["", "x", "2020-04", "12.50", "PENSION", "369999197001010011", "2020-05-06", "2020-05-06T07:08:09Z"]
    ),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.sampled_from(["a", "amount"]), below, max_size=2),
    max_leaves=4,
)
INPUTS = sorted(
    (kind for kind in contract._schema.type_map.values() if isinstance(kind, GraphQLInputObjectType)),
    key=lambda kind: kind.name,
)


@st.composite
def given_to(draw: st.DrawFn, kind: GraphQLInputObjectType) -> Any:
    fields = {name: draw(JSON) for name in kind.fields if draw(st.integers(0, 9))}
    if draw(st.integers(0, 9)) == 0:
        fields["unknown"] = 1
    return fields if draw(st.integers(0, 9)) else draw(JSON)


@pytest.mark.parametrize("kind", INPUTS, ids=lambda kind: kind.name)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_variables_are_read_as_graphql_core_reads_them(kind: GraphQLInputObjectType, data: st.DataObject) -> None:
    value = data.draw(given_to(kind))
    for input_type in (kind, GraphQLNonNull(kind)):
        assert _coercer(input_type)(value) == coerce_input_value(value, input_type)


def test_a_whole_input_is_read() -> None:
    kind = contract._schema.type_map["SubmitPaymentInput"]
    whole = {
        "payableId": "x",
        "amount": "12.50",
        "bankReference": "A",
        "collectedAt": "2020-05-06T07:08:09Z",
        "teller": None,
    }
    read = _coercer(GraphQLNonNull(kind))(whole)
    assert read is not Undefined
    assert list(read) == list(coerce_input_value(whole, kind))
    assert _coercer(kind)({**whole, "amount": None}) is Undefined
