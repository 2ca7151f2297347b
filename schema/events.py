"""What happened that a bank wants to know, and where a client has it sent."""

import datetime
from typing import Any

import strawberry
from strawberry import Parent

from resolvers import event_records
from schema.enums import EventKind
from schema.nodes import PageInfo, made_of, page_info
from schema.objects import AssessedBill, Payment


@strawberry.interface(description="What happened to a payment of the caller's institution, or to a bill.")
class Event:
    id: strawberry.ID = strawberry.field(description="The `webhook-id` of the notification that tells it.")
    sequence: int = strawberry.field(description="From 1, without gaps, for each institution.")
    kind: EventKind
    occurred_at: datetime.datetime


@strawberry.type(description="What happened to a payment of the caller's institution.")
class PaymentEvent(Event):
    is_type_of = made_of(event_records.PaymentEvent)

    @strawberry.field(graphql_type=Payment, description="As it is now.")
    def payment(event: Parent[event_records.PaymentEvent]) -> Any:
        return event.answers["payment"]


@strawberry.type(description="What happened to a bill of a payer whom the caller's institution has named.")
class BillEvent(Event):
    is_type_of = made_of(event_records.BillEvent)

    @strawberry.field(graphql_type=AssessedBill, description="As it is now.")
    def bill(event: Parent[event_records.BillEvent]) -> Any:
        return event.answers["bill"]


@strawberry.type(description="An event in a page.")
class EventEdge:
    cursor: str = strawberry.field(description="The event's sequence number in decimal digits.")
    node: Event


@strawberry.type(description="A page of events, in the order of their sequence numbers.")
class EventConnection:
    edges: list[EventEdge]
    page_info: PageInfo = page_info()


@strawberry.type(description="Where a client has the events of its institution sent.")
class Callback:
    url: str
    registered_at: datetime.datetime
    waiting: int = strawberry.field(description="Notifications that wait for their first or their next try.")
    failed: int = strawberry.field(description="Notifications of the last 30 days that have had their last try.")


@strawberry.type(description="The callback that is registered now.")
class CallbackRegistered:
    callback: Callback
    secret: str = strawberry.field(
        description="What the notifications are signed with, by Standard Webhooks: whsec_ and base64. Shown this once."
    )


@strawberry.type(description="There is no callback now.")
class CallbackRemoved:
    removed: bool = strawberry.field(description="Whether there was one.")
