"""Which operations move money: each mutation is one, or is named here as none."""

import pytest
from graphql import GraphQLObjectType

from gateway.endpoints.signing import MOVES_MONEY, moves_money
from gateway.execution.documents import DocumentStore
from schema.contract import schema
from schema.scopes import needs_of_field

CORE = schema._schema
DOCUMENTS = DocumentStore(CORE, needs_of_field, hide_suggestions=True, introspectable=True)

#: They price, assess, compare and subscribe; no money and no month changes hands.
MOVES_NONE = {
    "requestQuote",
    "requestAssessment",
    "reconcileDay",
    "assessBills",
    "withdrawBill",
    "registerCallback",
    "removeCallback",
}


def test_every_mutation_is_known_to_move_money_or_not() -> None:
    mutation = CORE.mutation_type
    assert isinstance(mutation, GraphQLObjectType)
    named = {name for name in mutation.fields if name not in MOVES_NONE}
    assert named == MOVES_MONEY


REVERSAL = 'reversePayment(input: {bankReference: "1", reason: "x"}) { __typename }'
WITHDRAWAL = 'withdrawBill(input: {billNumber: "1", reason: "x"}) { __typename }'


@pytest.mark.parametrize(
    ("document", "moves"),
    [
        (f"mutation {{ {REVERSAL} }}", True),
        (f"mutation {{ {WITHDRAWAL} }}", False),
        (f"mutation {{ {WITHDRAWAL} other: {REVERSAL} }}", True),
        (f"mutation {{ ... on Mutation {{ {REVERSAL} }} }}", True),
        (f"mutation {{ ...a }} fragment a on Mutation {{ ...b }} fragment b on Mutation {{ {REVERSAL} }}", True),
        (f"mutation {{ {WITHDRAWAL} ... @skip(if: true) {{ {REVERSAL} }} }}", True),
        ("{ viewer { clientId } }", False),
    ],
)
def test_a_field_at_the_root_is_found_wherever_it_stands(document: str, moves: bool) -> None:
    assert moves_money(DOCUMENTS.load(document).operation(None)) is moves


def test_only_the_operation_that_is_run_counts() -> None:
    document = DOCUMENTS.load(f"mutation a {{ {WITHDRAWAL} }} mutation b {{ {REVERSAL} }}")
    assert [moves_money(document.operation(name)) for name in "ab"] == [False, True]
