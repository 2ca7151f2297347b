"""Every field of an operation is searched for scopes, wherever it stands and whether or not it would be answered."""

import pytest

from gateway.execution.scopes import missing_scope
from tests.gateway.execution.small_schema import document_store

PAYER = frozenset({"payer:read"})


def missing(text: str, *held: str, operation: str | None = None) -> str | None:
    return missing_scope(document_store().load(text).operation(operation).needs, frozenset(held))


def test_a_field_without_needs_is_for_everyone() -> None:
    assert missing("{ payer { id name } }") is None
    assert missing("{ __typename }") is None


@pytest.mark.parametrize(
    "text",
    [
        "{ payer { secret } }",
        "{ payer { alias: secret } }",
        "{ payer { ... on Payer { secret } } }",
        "{ payer { ... { secret } } }",
        "{ payer { ...F } } fragment F on Payer { secret }",
        "{ payer { ...F } } fragment F on Payer { ...G } fragment G on Payer { secret }",
        "{ payers { secret } }",
        "{ either { ... on Payer { secret } } }",
        "{ payer { secret @skip(if: true) } }",
        "{ payer { secret @include(if: false) } }",
        "query ($no: Boolean = false) { payer @include(if: $no) { secret } }",
        "{ payer { ...F @skip(if: true) } } fragment F on Payer { secret }",
    ],
)
def test_a_field_needs_its_scope_wherever_it_stands(text: str) -> None:
    assert missing(text, "payer:read") == "secret:read"
    assert missing(text, "secret:read") is None


def test_mutations_need_scopes_as_well() -> None:
    assert missing("mutation { pay(input: {amount: 1}) }") == "pay:write"


def test_only_the_operation_that_runs_is_asked() -> None:
    text = "query A { payer { secret } } query B { payer { id ...F } } fragment F on Payer { name }"
    assert missing(text, operation="A") == "secret:read"
    assert missing(text, operation="B") is None


def test_one_of_several_ways_is_enough_and_whole() -> None:
    text = "{ payer { friend { id } } }"
    assert missing(text, "friend:read") is None
    assert missing(text, "payer:read", "bill:read") is None
    assert missing(text, "payer:read") == "friend:read"


def test_all_that_is_missing_is_named_once_and_in_order() -> None:
    text = "{ payer { secret friend { secret } } either { ... on Bill { amount } } }"
    assert missing(text) == "bill:read friend:read secret:read"
