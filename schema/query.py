"""The queries: each hands its arguments, and what is asked of the answer, to one resolver."""

import datetime
from typing import Any

import strawberry

from auth import scopes
from resolvers import nodes, payers, payments, receipts, refunds, schedules, settlement
from schema import inputs
from schema.context import Info
from schema.enums import Channel, Insurance, PaymentStatus, RefundStatus
from schema.nodes import Node
from schema.objects import (
    Payer,
    Payment,
    PaymentConnection,
    Receipt,
    SettlementDay,
    institution_of_caller,
)
from schema.refunds import RefundConnection
from schema.scalars import ResidentId
from schema.scopes import readable_kinds, requires
from schema.selection import asked_of
from schema.values import ContributionSchedule, Viewer


@strawberry.type(description="What a client may ask.")
class Query:
    @strawberry.field(description="The OAuth client that holds the token.")
    def viewer(self, info: Info) -> Viewer:
        caller = info.context.call.caller
        return Viewer(
            client_id=caller.client_id,
            institution=institution_of_caller(info),
            channel=None if caller.channel is None else Channel(caller.channel),
            scopes=sorted(caller.scopes),
            business_date=info.context.call.business_date,
        )

    @strawberry.field(
        graphql_type=Payer | None,
        directives=requires(scopes.PAYER_READ),
        description="A person by number and name. null when no such person is known or the name does not match: "
        "the two cannot be told apart.",
    )
    async def payer(self, info: Info, resident_id: ResidentId, name: str) -> Any:
        return await payers.payer(info.context.call, resident_id, name, asked_of(info)["Payer"])

    @strawberry.field(
        graphql_type=ContributionSchedule | None,
        description="The published schedule of a year; the province's when no pooling area is named.",
    )
    async def contribution_schedule(
        self, info: Info, insurance: Insurance, year: int, pooling_area: str | None = None
    ) -> Any:
        return await schedules.schedule_in_area(info.context.call, insurance, year, pooling_area)

    @strawberry.field(
        graphql_type=Payment | None,
        directives=requires(scopes.PAYMENT_READ),
        description="Status inquiry after a timeout, by the bank's own serial number. null: the gateway never "
        "accepted it.",
    )
    async def payment(self, info: Info, bank_reference: str) -> Any:
        reference = inputs.bank_reference(bank_reference, "bankReference")
        return await payments.payment(info.context.call, reference, asked_of(info)["Payment"])

    @strawberry.field(
        graphql_type=PaymentConnection,
        directives=requires(scopes.PAYMENT_READ),
        description="The payments of the caller's institution on one business day.",
    )
    async def payments(
        self,
        info: Info,
        on: datetime.date,
        status: PaymentStatus | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Any:
        return await payments.payments(info.context.call, on, status, first, after, asked_of(info)["PaymentConnection"])

    @strawberry.field(
        graphql_type=Receipt | None,
        directives=requires(scopes.RECEIPT_READ),
        description="A receipt of the caller's institution by its number.",
    )
    async def receipt(self, info: Info, number: str) -> Any:
        return await receipts.receipt(info.context.call, number, asked_of(info)["Receipt"])

    @strawberry.field(
        graphql_type=SettlementDay,
        directives=requires(scopes.SETTLEMENT_READ),
        description="One business day of the caller's institution.",
    )
    async def settlement_day(self, info: Info, date: datetime.date) -> Any:
        return await settlement.settlement_day(info.context.call, date, asked_of(info)["SettlementDay"])

    @strawberry.field(
        graphql_type=Node | None,
        description="Only what the caller's institution may see, under the same scopes as the other ways to it; "
        "anything else is null.",
    )
    async def node(self, info: Info, id: strawberry.ID) -> Any:  # noqa: A002 -- the contract's name
        return (await _nodes(info, [id]))[0]

    @strawberry.field(graphql_type=list[Node | None], description="As `node`, for up to 100 ids.")
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> Any:
        return await _nodes(info, ids)

    @strawberry.field(
        graphql_type=RefundConnection,
        directives=requires(scopes.PAYMENT_REVERSE, scopes.REFUND_DECIDE),
        description="退费: what the caller's bank has asked for, or what the caller's agency decides about, the oldest "
        "first.",
    )
    async def refunds(
        self, info: Info, status: RefundStatus | None = None, first: int | None = None, after: str | None = None
    ) -> Any:
        return await refunds.refunds(info.context.call, status, first, after, asked_of(info)["RefundConnection"])


async def _nodes(info: Info, ids: list[strawberry.ID]) -> list[Any]:
    call = info.context.call
    return await nodes.nodes(call, ids, readable_kinds(call.caller.scopes), asked_of(info))
