"""Documents are prepared once, kept within bounds, and refused with reasons."""

import pytest

from gateway.execution import documents
from gateway.execution.documents import MAX_KEPT_LENGTH, Document, DocumentStore, InvalidDocument
from tests.gateway.execution.small_schema import document_store


@pytest.fixture
def store() -> DocumentStore:
    return document_store()


def refusal(store: DocumentStore, text: str, operation: str | None = None) -> InvalidDocument:
    with pytest.raises(InvalidDocument) as caught:
        store.load(text).operation(operation)
    return caught.value


def test_the_same_text_again_is_the_same_document(store: DocumentStore) -> None:
    assert store.load("{ payer { id } }") is store.load("{ payer { id } }")
    assert store.load("{ payer { id } }") is not store.load("{ payer { id  } }")


def test_beyond_the_bound_the_document_used_longest_ago_goes(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MAX_DOCUMENTS", 3)
    texts = [f"query Q{number} {{ payer {{ id }} }}" for number in range(4)]
    first, second, third = (store.load(text) for text in texts[:3])
    assert store.load(texts[0]) is first
    store.load(texts[3])
    assert store.load(texts[0]) is first
    assert store.load(texts[2]) is third
    assert store.load(texts[1]) is not second


def test_documents_are_kept_up_to_so_many_characters_of_all(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few long ones fill the store as many short ones do."""
    monkeypatch.setattr(documents, "MAX_KEPT_CHARACTERS", 250)
    texts = [f"query Q{number} {{ payer {{ id }} }}".ljust(100) for number in range(3)]
    first, second = (store.load(text) for text in texts[:2])
    assert store.load(texts[0]) is first
    third = store.load(texts[2])
    assert store.load(texts[0]) is first
    assert store.load(texts[2]) is third
    assert store.load(texts[1]) is not second


def test_an_over_long_document_is_run_and_not_kept(store: DocumentStore) -> None:
    query = "{ payer { id } }"

    def padded(length: int) -> Document:
        return store.load(query.ljust(length))

    assert padded(MAX_KEPT_LENGTH) is padded(MAX_KEPT_LENGTH)
    assert padded(MAX_KEPT_LENGTH + 1) is not padded(MAX_KEPT_LENGTH + 1)


def test_a_refused_document_is_not_kept(store: DocumentStore) -> None:
    for _ in range(2):
        assert refusal(store, "{ nonsense }").code == "GRAPHQL_VALIDATION_FAILED"
    assert not store._documents


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "GRAPHQL_PARSE_FAILED"),
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nonsense }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { payer { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("type Query { a: Int }", "GRAPHQL_VALIDATION_FAILED"),
        ("fragment F on Payer { id }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ payer { ...F } } fragment F on Payer { friend { ...F } }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
def test_what_can_not_be_run_is_refused_with_a_code(store: DocumentStore, text: str, code: str) -> None:
    assert refusal(store, text).code == code


def test_of_several_operations_one_is_named(store: DocumentStore) -> None:
    text = "query A { payer { id } } query B { count }"
    assert store.load(text).operation("B").name == "B"
    for name in (None, "C", ""):
        assert refusal(store, text, name).code == "OPERATION_RESOLUTION_FAILURE"


def test_the_only_operation_needs_no_name(store: DocumentStore) -> None:
    assert store.load("query A { count }").operation(None).name == "A"


def test_introspection_can_be_turned_off(store: DocumentStore) -> None:
    text = "{ __schema { queryType { name } } }"
    assert store.load(text).operation(None)
    closed = document_store(introspectable=False)
    assert refusal(closed, text).code == "GRAPHQL_VALIDATION_FAILED"
    assert closed.load("{ __typename }").operation(None)


def test_without_introspection_no_name_is_suggested(store: DocumentStore) -> None:
    assert "Did you mean" in refusal(store, "{ payr { id } }").errors[0].message
    assert "Did you mean" not in refusal(document_store(introspectable=False), "{ payr { id } }").errors[0].message


def test_introspection_that_multiplies_is_refused(store: DocumentStore) -> None:
    deep = "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }"
    assert refusal(store, deep).code == "GRAPHQL_VALIDATION_FAILED"
