"""Why a field that leads to data needs no scope of its own.

Deny by default: every root field, and every field that leads to an object, names its scopes (`schema/scopes.py`) or
stands here under the reason why not. A test walks the schema and fails on one that does neither.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

UNSCOPED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "a part of its parent, with no id and no other way to it": frozenset(
            {
                "Payer.enrolments",
                "Enrolment.poolingArea",
                "PayablePeriod.tiers",
                "Quote.tier",
                "Quote.lines",
                "AssessedBill.poolingArea",
                "AssessedBill.lines",
                "Receipt.poolingArea",
                "Receipt.institution",
                "Refund.institution",
                "Refund.poolingArea",
                "SettlementDay.accepted",
                "SettlementDay.reversed",
                "SettlementDay.net",
                "SettlementDay.differences",
            }
        ),
        "the pages of a list whose field names the scopes": frozenset(
            {
                "AssessedBillConnection.edges",
                "AssessedBillConnection.pageInfo",
                "AssessedBillEdge.node",
                "ReceiptConnection.edges",
                "ReceiptConnection.pageInfo",
                "ReceiptEdge.node",
                "PaymentConnection.edges",
                "PaymentConnection.pageInfo",
                "PaymentEdge.node",
                "SettlementDifferenceConnection.edges",
                "SettlementDifferenceConnection.pageInfo",
                "SettlementDifferenceEdge.node",
                "RefundConnection.edges",
                "RefundConnection.pageInfo",
                "RefundEdge.node",
                "EventConnection.edges",
                "EventConnection.pageInfo",
                "EventEdge.node",
            }
        ),
        "what the caller has just made or moved, by a mutation that names the scopes": frozenset(
            {
                "PaymentAccepted.payment",
                "PaymentReversed.payment",
                "BillsAssessed.bills",
                "RefundRequested.refund",
                "RefundRequested.payment",
                "RefundDecided.refund",
                "CallbackRegistered.callback",
            }
        ),
        "what stood in the way of the caller's own mutation": frozenset(
            {"PeriodNotPayable.payable", "TierNotOffered.offered", "BillsRejected.rejections"}
        ),
        "what a payment of the caller's own institution settled": frozenset({"Payment.payable"}),
        "what an event is about, whose list needs the scopes of both kinds": frozenset(
            {"PaymentEvent.payment", "BillEvent.bill"}
        ),
        "the caller itself": frozenset({"Query.viewer", "Viewer.institution"}),
        "published by the authorities to everybody": frozenset(
            {"Query.contributionSchedule", "ContributionSchedule.poolingArea", "ContributionSchedule.tiers"}
        ),
        "each kind of object under the scopes of the other ways to it (NODE_SCOPES)": frozenset(
            {"Query.node", "Query.nodes"}
        ),
    }
)
