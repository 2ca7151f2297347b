"""The names of the scopes, and the sets of them that clients are usually given.

A scope is one right: a noun of the contract and what may be done with it. The schema names them in
`@requiresScopes`, the OAuth server grants them, and both read them here.
"""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

PAYER_READ: Final = "payer:read"
PERIOD_READ: Final = "period:read"
BILL_READ: Final = "bill:read"
BILL_ASSESS: Final = "bill:assess"
QUOTE_WRITE: Final = "quote:write"
ASSESSMENT_WRITE: Final = "assessment:write"
PAYMENT_READ: Final = "payment:read"
PAYMENT_WRITE: Final = "payment:write"
PAYMENT_REVERSE: Final = "payment:reverse"
RECEIPT_READ: Final = "receipt:read"
SETTLEMENT_READ: Final = "settlement:read"
SETTLEMENT_WRITE: Final = "settlement:write"
REFUND_DECIDE: Final = "refund:decide"
OPERATIONS_READ: Final = "operations:read"

MEANINGS: Final = MappingProxyType(
    {
        PAYER_READ: "Find a person by identity number and name, and see the enrolments.",
        PERIOD_READ: "See the months that a payer owes and the tiers they can be paid at.",
        BILL_READ: "See the bills that agencies assessed for a payer.",
        BILL_ASSESS: "Assess bills as an agency, and withdraw them.",
        QUOTE_WRITE: "Have months of the current year priced (本年自主缴费).",
        ASSESSMENT_WRITE: "Have months of earlier years assessed (往年核定).",
        PAYMENT_READ: "See the institution's own payments.",
        PAYMENT_WRITE: "Submit a payment that the institution has collected.",
        PAYMENT_REVERSE: "Reverse a payment on its business day (冲正), and ask for its refund later (退费).",
        RECEIPT_READ: "See and download the receipts of the institution's own payments.",
        SETTLEMENT_READ: "See the institution's settlement days and their differences.",
        SETTLEMENT_WRITE: "Reconcile a settlement day from the institution's own list (日终对账).",
        REFUND_DECIDE: "Grant or reject refunds of the agency's own insurance (退费).",
        OPERATIONS_READ: "See the operator's page: totals and states over all institutions. For no bank.",
    }
)

ALL: Final = tuple(MEANINGS)
"Every scope, in the order in which scopes are always written."

RETAIL: Final = frozenset(
    {
        PAYER_READ,
        PERIOD_READ,
        BILL_READ,
        QUOTE_WRITE,
        ASSESSMENT_WRITE,
        PAYMENT_READ,
        PAYMENT_WRITE,
        RECEIPT_READ,
    }
)
"What an app or a mini-program needs for a person to pay."

COUNTER: Final = RETAIL | {PAYMENT_REVERSE, SETTLEMENT_READ, SETTLEMENT_WRITE}
"What a staffed counter needs beside: undoing a payment, and closing the day."

AGENCY: Final = frozenset({BILL_ASSESS, PAYER_READ, BILL_READ})
"What an agency needs to assess bills."


def ordered(scopes: Iterable[str]) -> tuple[str, ...]:
    """Put scopes into their one order, each once.

    Raises ValueError that names the first unknown one.
    """
    wanted = set(scopes)
    if unknown := sorted(wanted.difference(MEANINGS)):
        # Cut, so that a long input does not come back as a long message.
        raise ValueError(f"unknown scope {unknown[0][:64]!r}; the scopes are: {' '.join(ALL)}")
    return tuple(scope for scope in ALL if scope in wanted)


def parse(text: str) -> tuple[str, ...]:
    """Read scopes as RFC 6749 section 3.3 writes them: names with spaces between, in any order.

    Raises ValueError that names the first unknown one.
    """
    return ordered(text.split())
