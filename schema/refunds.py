"""退费: a refund as its bank and its agency see it."""

import datetime

import strawberry

from resolvers import records
from schema.enums import Insurance, RefundStatus
from schema.nodes import Node, PageInfo, made_of, page_info
from schema.scalars import YearMonth, Yuan
from schema.values import Institution, PoolingArea


@strawberry.type(
    description="退费: a request to give a payment back after its business date, with what an agency needs to decide."
)
class Refund(Node):
    is_type_of = made_of(records.Refund)

    id: strawberry.ID = strawberry.field(
        description="The bank's and the agency's differ: each is worth nothing to the other."
    )
    status: RefundStatus
    reason: str = strawberry.field(description="The bank's, as it was first given.")
    requested_at: datetime.datetime
    decided_at: datetime.datetime | None
    decision_reason: str | None = strawberry.field(description="The agency's.")
    institution: Institution = strawberry.field(description="Which collected the payment.")
    bank_reference: str
    receipt_number: str
    insurance: Insurance
    pooling_area: PoolingArea
    first_month: YearMonth
    last_month: YearMonth
    amount: Yuan
    masked_name: str
    masked_resident_id: str
    business_date: datetime.date = strawberry.field(description="The payment's.")


@strawberry.type(description="A refund in a page.")
class RefundEdge:
    cursor: str
    node: Refund


@strawberry.type(description="A page of refunds, the oldest request first.")
class RefundConnection:
    edges: list[RefundEdge]
    page_info: PageInfo = page_info()
