"""Errors name the place of a value and leave the value out."""

import pytest
from graphql import GraphQLError, get_variable_values
from graphql.language import OperationDefinitionNode, parse

from gateway.execution.documents import InvalidDocument
from gateway.execution.values import without_values
from tests.gateway.execution.small_schema import SCHEMA, document_store

NUMBER = "36999919660630004X"
NAME = "欧阳明"


def refused(text: str) -> list[str]:
    with pytest.raises(InvalidDocument) as caught:
        document_store().load(text)
    return [without_values(error.message) for error in caught.value.errors]


def coercion(document: str, variables: dict[str, object]) -> list[str]:
    operation = parse(document).definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    errors = get_variable_values(SCHEMA, operation.variable_definitions or (), variables)
    assert isinstance(errors, list)
    return [without_values(error.message) for error in errors]


@pytest.mark.parametrize(
    ("literal", "message"),
    [
        (
            'amount: "369999196606300041"',
            "Argument 'amount' has an invalid value: Int cannot represent non-integer value.",
        ),
        (
            "amount: 369999196606300041",
            "Argument 'amount' has an invalid value: Int cannot represent non 32-bit signed",
        ),
        (
            "name: 369999196606300041",
            "Argument 'name' has an invalid value: String cannot represent a non string value.",
        ),
        (f'kind: "{NAME}"', "Argument 'kind' has an invalid value: Enum 'Kind' cannot represent non-enum value."),
        ("kind: PERSONS", "Argument 'kind' has an invalid value: There is no such Kind."),
    ],
)
def test_a_literal_of_the_wrong_type(literal: str, message: str) -> None:
    (told,) = refused(f"{{ payer({literal}) {{ id }} }}")
    assert told.startswith(message)
    assert "36999" not in told
    assert NAME not in told


@pytest.mark.parametrize(
    ("literal", "message"),
    [
        ('{amount: "x"}', "Argument 'input' has an invalid value at .amount: Int cannot"),
        ("{}", "Argument 'input' has an invalid value: Expected value of type 'PayInput' to include required field"),
        (
            "{amount: 1, amont: 1}",
            "Argument 'input' has an invalid value: Expected value of type 'PayInput' not to include",
        ),
        ('{amount: 1, lines: [1, "x"]}', "Argument 'input' has an invalid value at .lines[1]: Int cannot"),
        ("null", "Argument 'input' has an invalid value: Expected value of non-null type 'PayInput!' not to be None."),
    ],
)
def test_a_literal_inside_an_input_object_is_named_by_its_path(literal: str, message: str) -> None:
    (told,) = refused(f"mutation {{ pay(input: {literal}) }}")
    assert told.startswith(message), told


def test_the_argument_before_lends_its_name_to_no_other() -> None:
    (told,) = refused('{ payer(name: "a") { id @skip(if: "x") } }')
    assert told.startswith("Argument 'if' has an invalid value")
    (told,) = refused('query ($n: Int = "x") { payer(name: "a", amount: $n) { id } }')
    assert told.startswith("The default of variable '$n' has an invalid value")


@pytest.mark.parametrize(
    "value",
    [
        NUMBER,
        NAME,
        {NAME: 1},
        {NUMBER: 1},
        [NAME],
        {"amount": NAME},
        {"amount": 1, NAME: 1},
        {"amount": 1, "kind": NAME},
    ],
)
def test_a_variable_that_can_not_be_read(value: object) -> None:
    for told in coercion("mutation ($input: PayInput!) { pay(input: $input) }", {"input": value}):
        assert told.startswith("Variable '$input' has invalid value")
        assert NUMBER not in told
        assert NAME not in told


def test_an_unknown_field_of_a_variable_is_named_when_it_can_be_one() -> None:
    document = "mutation ($input: PayInput!) { pay(input: $input) }"
    (told,) = coercion(document, {"input": {"amount": 1, "amont": 2}})
    assert told.endswith("not to include unknown field 'amont'.")
    for key in ("a b", "x" * 65, "陈", ""):
        (told,) = coercion(document, {"input": {"amount": 1, key: 2}})
        assert told.endswith("not to include an unknown field.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'{{ payer(name: "{NAME}" "b") }}', "Syntax Error: Expected Name."),
        (f"{{ payer(name: '{NAME}') }}", "Syntax Error: Unexpected single quote character."),
        (f"{{ payer(name: {NAME}) }}", "Syntax Error: Unexpected character."),
        (f"{{ payer(name: {NUMBER}) }}", "Syntax Error: Invalid number."),
        (f'{{ payer(name: "{NAME}', "Syntax Error: Unterminated string."),
        (f'"{NAME}" {{ payer }}', "Syntax Error: Unexpected description."),
        ("{", "Syntax Error: Expected Name."),
        ("}", "Syntax Error: Unexpected '}'."),
        ("", "Syntax Error: Unexpected <EOF>."),
    ],
)
def test_a_syntax_error_says_what_and_not_which(text: str, message: str) -> None:
    with pytest.raises(GraphQLError) as caught:
        parse(text)
    assert without_values(caught.value.message) == message


@pytest.mark.parametrize(
    "text",
    [NUMBER, "36999919660630004x", "369999 19660630 0041", "369999-19660630-0041", NAME, "622202" * 3],
)
def test_a_message_of_no_known_shape_loses_what_could_be_personal(text: str) -> None:
    assert without_values(f"Something new about {text}, perhaps.") == "Something new about ***, perhaps."
