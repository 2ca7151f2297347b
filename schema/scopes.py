"""How the schema says which scopes a field needs."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import strawberry
from graphql import GraphQLField
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField

from auth import scopes


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="The token must hold every scope of at least one inner list. Scopes are checked against the whole "
    "operation before any of it runs: a request that selects one field it may not see is refused whole "
    "(HTTP 403, `insufficient_scope`), so no payment is ever half answered.",
)
class RequiresScopes:
    scopes: list[list[str]]


def requires(*alternatives: str) -> list[object]:
    """Return the directives of a field that any one of these scopes opens."""
    return [RequiresScopes(scopes=[[scope] for scope in alternatives])]


def needs_of_field(field: GraphQLField) -> Iterable[frozenset[frozenset[str]]]:
    """Return what a field of the built schema needs: one of the inner sets, whole."""
    definition = field.extensions.get("strawberry-definition")
    for directive in definition.directives if isinstance(definition, StrawberryField) else ():
        if isinstance(directive, RequiresScopes):
            yield frozenset(map(frozenset, directive.scopes))


#: Which scopes reach an object through `node`: those of any other way to it.
NODE_SCOPES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "Payer": frozenset({scopes.PAYER_READ}),
        "Quote": frozenset({scopes.QUOTE_WRITE, scopes.PAYMENT_READ}),
        "AssessedBill": frozenset({scopes.BILL_READ, scopes.BILL_ASSESS}),
        "Payment": frozenset({scopes.PAYMENT_READ}),
        "Receipt": frozenset({scopes.RECEIPT_READ}),
        "Refund": frozenset({scopes.PAYMENT_REVERSE, scopes.REFUND_DECIDE}),
    }
)


def readable_kinds(held: frozenset[str]) -> frozenset[str]:
    """Return the kinds of object that these scopes reach through `node`."""
    return frozenset(kind for kind, needed in NODE_SCOPES.items() if needed & held)
