"""What repeats, is renamed, is decorated or is sent beside a document is counted and limited."""

import pytest

from gateway.execution import limits
from gateway.execution.limits import (
    MAX_ALIASES,
    MAX_DIRECTIVES,
    MAX_FIELD_DIRECTIVES,
    MAX_FRAGMENTS,
    MAX_OPERATIONS,
    MAX_REPEATED_FIELDS,
    MAX_VALUE_DEPTH,
    MAX_VALUES,
    variables_too_large,
)
from tests.gateway.execution.small_schema import document_store
from tests.gateway.execution.test_limits import aliased, is_allowed, refusal


def too_large(text: str, what: str) -> bool:
    refused = refusal(text)
    return refused.code == "OPERATION_TOO_LARGE" and len(refused.errors) == 1 and what in refused.errors[0].message


def test_aliases() -> None:
    assert is_allowed("{ payer { " + aliased("id", MAX_ALIASES) + " } }")
    assert too_large("{ payer { " + aliased("id", MAX_ALIASES + 1) + " } }", "too many aliases")
    half = aliased("id", MAX_ALIASES // 2 + 1)
    assert too_large("{ payer { ...F friend { ...F } } } fragment F on Payer { " + half + " }", "too many aliases")


def test_repeated_fields() -> None:
    assert is_allowed("{ payer { " + "id " * (MAX_REPEATED_FIELDS + 1) + "} }")
    assert too_large("{ payer { " + "id " * (MAX_REPEATED_FIELDS + 2) + "} }", "repeats too many fields")
    spread = "{ payer { " + "...F ... { id } " * (MAX_REPEATED_FIELDS // 2 + 2) + "} } fragment F on Payer { id }"
    assert too_large(spread, "repeats too many fields")


def test_repeated_fields_below_one_another_count_together() -> None:
    ten = "{ payer { " + ("friend { " + "id " * 10 + "} ") * 10 + "} }"
    assert is_allowed(ten)
    assert too_large(ten.replace("id " * 10, "id " * 12), "repeats too many fields")


def test_directives() -> None:
    fields = " ".join(f"f{n}: id @skip(if: false)" for n in range(MAX_DIRECTIVES))
    assert is_allowed("{ payer { " + fields + " } }")
    assert too_large("{ payer @skip(if: false) { " + fields + " } }", "too many directives")


@pytest.mark.parametrize(
    "text", ["{ __typename %s }", "{ ... %s { __typename } }", "{ ...F %s } fragment F on Query { count }"]
)
def test_directives_of_one_selection(text: str) -> None:
    assert too_large(text % ("@aa " * (MAX_FIELD_DIRECTIVES + 1)), "A selection has too many directives")
    assert refusal(text % ("@aa " * MAX_FIELD_DIRECTIVES)).code == "GRAPHQL_VALIDATION_FAILED"


def test_operations_and_fragments_of_a_document() -> None:
    operations = " ".join(f"query Q{n} {{ count }}" for n in range(MAX_OPERATIONS + 1))
    assert too_large(operations, "too many operations")
    fragments = " ".join(f"fragment F{n} on Query {{ count }}" for n in range(MAX_FRAGMENTS + 1))
    assert too_large("{ count } " + fragments, "too many fragments")


def test_a_fragment_that_spreads_itself_ends_in_the_validation() -> None:
    cycle = "{ payer { ...F } } fragment F on Payer { friend { ...G } } fragment G on Payer { friend { ...F } }"
    assert refusal(cycle).code == "GRAPHQL_VALIDATION_FAILED"
    assert refusal("{ payer { ...Nowhere } }").code == "GRAPHQL_VALIDATION_FAILED"


def test_what_is_over_a_limit_is_not_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand equal fields would be compared with one another."""

    def untouched(*_args: object, **_options: object) -> list[object]:
        raise AssertionError("validated")

    monkeypatch.setattr("gateway.execution.documents.validate", untouched)
    assert refusal("{ " + "payer { id } " * 900 + "}").code == "OPERATION_TOO_LARGE"


def test_a_document_is_validated_once_with_rules_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.execution import documents

    calls: list[object] = []
    real = documents.validate
    monkeypatch.setattr(documents, "validate", lambda *args, **options: calls.append(args[2]) or real(*args, **options))
    store = document_store()
    for _ in range(3):
        store.load("{ payer { id } }")
    store.load("{ payer { name } }")
    assert len(calls) == 2
    assert calls[0] is calls[1]


def test_variables() -> None:
    deep: object = 1
    for _ in range(MAX_VALUE_DEPTH):
        deep = [deep]
    assert variables_too_large({"a": deep}) is None
    assert variables_too_large({"a": [deep]}) is not None
    assert variables_too_large({"a": {"b": deep}}) is not None
    assert variables_too_large({"a": [0] * (MAX_VALUES - 1)}) is None
    assert variables_too_large({"a": [0] * MAX_VALUES}) is not None
    assert variables_too_large({"a": [[0] * 10] * MAX_VALUES}) is not None
    assert variables_too_large({}) is None


def test_a_day_of_a_bank_is_no_more_than_variables_may_hold() -> None:
    entry = {"bankReference": "A", "amount": "1", "reversed": False}
    assert variables_too_large({"input": {"date": "2020-11-16", "entries": [entry] * 10_000}}) is None
    assert limits.MAX_VALUES > 40_000
