"""The cost of an operation: what its answer can be at the most."""

from typing import Any

import pytest
from graphql import get_introspection_query

from gateway.execution.documents import DocumentStore
from schema.contract import schema
from schema.costs import MAX_SIZE
from schema.scopes import needs_of_field

STORE = DocumentStore(schema._schema, needs_of_field, hide_suggestions=True, introspectable=True)
PAGE = 'query ($n: Int) { payments(on: "2020-11-16", first: $n) { edges { node { id } } } }'
LITERAL = 'mutation { reconcileDay(input: {date: "2020-11-16", entries: [%s]}) { __typename } }'


def points(text: str, **variables: Any) -> int:
    return STORE.load(text).operation(None).cost.points(variables)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ __typename }", 1),
        ("{ viewer { clientId scopes } }", 1),
        ("{ viewer { institution { code } } }", 2),
        ("{ a: viewer { clientId } b: viewer { clientId } }", 2),
        ("{ viewer { ...F ...F } } fragment F on Viewer { institution { code } }", 3),
        ("{ viewer { ... { institution { code } } } }", 2),
        ("{ viewer { institution @skip(if: true) { code } } }", 2),
        ('{ node(id: "x") { ... on Quote { payment { id } } ... on AssessedBill { payment { id } } } }', 3),
        ('{ payments(on: "2020-11-16") { pageInfo { hasNextPage } } }', 1),
        ('{ payments(on: "2020-11-16") { edges { node { id } } } }', 1 + 20),
        ('{ payments(on: "2020-11-16", first: 3) { edges { node { id } } } }', 1 + 3),
        ('{ payments(on: "2020-11-16", first: null) { edges { node { id } } } }', 1 + 20),
        ('{ payments(on: "2020-11-16", first: 7) { edges { cursor node { receipt { number } } } } }', 1 + 7 * 2),
        ('{ payments(on: "2020-11-16", first: 1000) { edges { node { id } } } }', 1 + MAX_SIZE),
        ('{ nodes(ids: ["a", "b"]) { ... on Payer { receipts(first: 5) { edges { node { id } } } } } }', 2 * (1 + 6)),
        ('{ nodes(ids: "a") { id } }', 1),
        ('mutation { reversePayment(input: {bankReference: "a", reason: "b"}) { __typename } }', 10),
        (LITERAL % "", 10),
        (LITERAL % '{bankReference: "a", amount: "1"}', 11),
        (get_introspection_query(), 10),
    ],
)
def test_an_operation_costs_what_it_can_answer(text: str, expected: int) -> None:
    assert points(text) == expected


@pytest.mark.parametrize(
    ("n", "size"),
    [(1, 1), (50, 50), (100, 100), (101, 100), (10**30, 100), (0, 0), (-5, 0), (None, 20), ("x", 1), (1.5, 1), ({}, 1)],
)
def test_a_page_counts_as_its_variable_says(n: object, size: int) -> None:
    assert points(PAGE, n=n) == 1 + size


def test_a_variable_that_is_not_given_counts_by_its_default() -> None:
    assert points(PAGE) == 1 + 20
    assert points(PAGE.replace("$n: Int", "$n: Int = 50")) == 1 + 50
    assert points(PAGE.replace("$n: Int", "$n: Int = 50"), n=2) == 1 + 2


@pytest.mark.parametrize(("ids", "expected"), [([], 1), (["a"] * 7, 7), (["a"] * 500, 100), ("a", 1), (None, 100)])
def test_nodes_count_their_ids(ids: object, expected: int) -> None:
    assert points("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids) == expected


def test_a_number_of_any_length_is_no_fault() -> None:
    assert points("{ nodes(ids: [" + "9" * 6_000 + "]) { id } }") == 1
    assert points("query ($id: ID = " + "9" * 6_000 + ") { nodes(ids: [$id]) { id } }") == 1


def test_entries_of_a_list_are_work() -> None:
    whole = "mutation ($input: ReconcileDayInput!) { reconcileDay(input: $input) { __typename } }"
    entries = (
        'mutation ($e: [BankEntryInput!]!) { reconcileDay(input: {date: "2020-11-16", entries: $e}) { __typename } }'
    )
    assert points(whole, input={"entries": [{}] * 10_000}) == 10 + 1_000
    assert points(entries, e=[{}] * 10_000) == 10 + 1_000
    assert points(whole, input={"entries": {}}) == 11
    for nonsense in (None, "x", 1, [], [[1]], {"entries": None}):
        assert points(whole, input=nonsense) == 10


def test_pages_in_pages_multiply() -> None:
    deep = "{ nodes(ids: $ids) { ... on Payer { receipts(first: 100) { edges { node { poolingArea { code } } } } } } }"
    assert points(f"query ($ids: [ID!]!) {deep}", ids=["a"] * 100) == 100 * (1 + 1 + 100 * 2)
