"""The schema as a whole, and its printed form."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.costs import state_costs
from schema.events import BillEvent, Event, PaymentEvent
from schema.mutation import Mutation
from schema.nodes import Node
from schema.objects import AssessedBill, Payable, Payer, Payment, Quote, Receipt
from schema.problems import Problem
from schema.query import Query
from schema.refunds import Refund
from schema.scalars import SCALARS

schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    types=[
        Node,
        Payable,
        Problem,
        Payer,
        Quote,
        AssessedBill,
        Payment,
        Receipt,
        Refund,
        Event,
        PaymentEvent,
        BillEvent,
    ],
    config=StrawberryConfig(scalar_map=SCALARS),
)
state_costs(schema._schema)


def printed() -> str:
    """Return the schema in SDL, as `schema/schema.graphql` holds it."""
    return schema.as_str() + "\n"
