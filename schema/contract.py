"""The schema as a whole, and its printed form."""

import strawberry
from strawberry.schema.config import StrawberryConfig

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
    types=[Node, Payable, Problem, Payer, Quote, AssessedBill, Payment, Receipt, Refund],
    config=StrawberryConfig(scalar_map=SCALARS),
)


def printed() -> str:
    """Return the schema in SDL, as `schema/schema.graphql` holds it."""
    return schema.as_str() + "\n"
