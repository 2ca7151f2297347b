"""A schema of a few fields, for what is the same with any schema."""

from collections.abc import Iterable

from graphql import GraphQLField, build_schema

from gateway.execution.documents import DocumentStore
from gateway.execution.scopes import Need

SCHEMA = build_schema(
    """
    type Query {
        payer(name: String, amount: Int = 1, kind: Kind): Payer
        payers: [Payer!]!
        count(of: Int! = 1): Int
        strict: Int!
        either: Either
    }
    type Mutation { pay(input: PayInput!): Int }
    enum Kind { PERSON }
    input PayInput { amount: Int!, kind: Kind! = PERSON, lines: [Int!] }
    type Payer implements Named { id: ID! name: String friend: Payer secret: String }
    type Bill { id: ID! amount: Int }
    union Either = Payer | Bill
    interface Named { name: String }
    """
)

#: Scopes by the field's own object in the schema.
_NEEDS: dict[int, Need] = {
    id(SCHEMA.type_map["Payer"].fields["secret"]): frozenset({frozenset({"secret:read"})}),  # type: ignore[attr-defined]
    id(SCHEMA.type_map["Payer"].fields["friend"]): frozenset(  # type: ignore[attr-defined]
        {frozenset({"friend:read"}), frozenset({"payer:read", "bill:read"})}
    ),
    id(SCHEMA.type_map["Bill"].fields["amount"]): frozenset({frozenset({"bill:read"})}),  # type: ignore[attr-defined]
    id(SCHEMA.type_map["Mutation"].fields["pay"]): frozenset({frozenset({"pay:write"})}),  # type: ignore[attr-defined]
}


def needs_of_field(field: GraphQLField) -> Iterable[Need]:
    need = _NEEDS.get(id(field))
    return () if need is None else (need,)


def document_store(*, introspectable: bool = True) -> DocumentStore:
    return DocumentStore(SCHEMA, needs_of_field, hide_suggestions=not introspectable, introspectable=introspectable)
