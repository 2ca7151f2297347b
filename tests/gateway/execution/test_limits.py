"""An operation over a limit is refused before any of it runs."""

import pytest

from gateway.execution.documents import InvalidDocument
from gateway.execution.limits import MAX_DEPTH, MAX_ERRORS, MAX_FIELDS, MAX_ROOT_FIELDS, MAX_TOKENS
from tests.gateway.execution.small_schema import document_store


def refusal(text: str) -> InvalidDocument:
    with pytest.raises(InvalidDocument) as caught:
        document_store().load(text)
    return caught.value


def is_allowed(text: str) -> bool:
    return bool(document_store().load(text).operations)


def nested(depth: int) -> str:
    """An operation with this many selections inside one another."""
    return "{ payer " + "{ friend " * (depth - 2) + "{ id }" + " }" * (depth - 1)


def aliased(field: str, count: int) -> str:
    return " ".join(f"a{number}: {field}" for number in range(count))


def test_tokens() -> None:
    assert refusal("{ payer { id " + "id " * MAX_TOKENS + "} }").code == "GRAPHQL_PARSE_FAILED"


def test_depth() -> None:
    assert is_allowed(nested(MAX_DEPTH))
    refused = refusal(nested(MAX_DEPTH + 1))
    assert refused.code == "OPERATION_TOO_LARGE"
    assert refused.errors[0].message == f"The operation is nested too deeply: {MAX_DEPTH + 1}, at most {MAX_DEPTH}."


def test_depth_goes_through_fragments_and_inline_fragments() -> None:
    halves = (
        "{ payer { ...F } } fragment F on Payer " + "{ friend " * (MAX_DEPTH - 1) + "{ ... on Payer { id } }"
    ) + " }" * (MAX_DEPTH - 1)
    assert refusal(halves).code == "OPERATION_TOO_LARGE"


def test_document_nested_beyond_any_parser() -> None:
    assert refusal("{ payer " + "{ friend " * 4_000).code == "GRAPHQL_PARSE_FAILED"


def test_fields() -> None:
    spread = "{ payer { id friend { ...F } } } fragment F on Payer { " + aliased("id", 40) + " } "
    assert is_allowed(spread)
    many = "{ payer { " + " ".join(f"f{n}: id" for n in range(MAX_FIELDS)) + " } }"
    assert "too many fields" in refusal(many).errors[0].message


def test_a_field_counts_each_time_its_fragment_is_spread() -> None:
    """Thirty fragments, each spreading the next one twice, are a thousand million fields in a page of text."""
    doubling = "".join(f"fragment F{n} on Payer {{ ...F{n + 1} ...F{n + 1} }}\n" for n in range(30))
    refused = refusal("{ payer { ...F0 } }\n" + doubling + "fragment F30 on Payer { id }")
    assert refused.code == "OPERATION_TOO_LARGE"
    assert str(2**30 + 1) in refused.errors[0].message


def test_root_fields() -> None:
    assert is_allowed("{ " + aliased("count", MAX_ROOT_FIELDS) + " }")
    assert refusal("{ " + aliased("count", MAX_ROOT_FIELDS + 1) + " }").code == "OPERATION_TOO_LARGE"


def test_root_fields_inside_fragments_count_too() -> None:
    many = aliased("count", MAX_ROOT_FIELDS + 1)
    assert refusal("{ ...R } fragment R on Query { " + many + " }").code == "OPERATION_TOO_LARGE"
    assert refusal("{ ... on Query { " + many + " } }").code == "OPERATION_TOO_LARGE"


def test_each_operation_of_a_document_is_measured() -> None:
    assert refusal("query A { count } query B " + nested(MAX_DEPTH + 1)).code == "OPERATION_TOO_LARGE"


def test_errors_are_cut_off() -> None:
    refused = refusal("{ " + aliased("nonsense", 100) + " }")
    assert len(refused.errors) <= MAX_ERRORS + 1
