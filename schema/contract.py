"""The schema as a whole, and its printed form."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.costs import state_costs
from schema.mutation import Mutation
from schema.objects import AssessedBill, Node, Payable, Payer, Payment, Quote, Receipt
from schema.problems import Problem
from schema.query import Query
from schema.scalars import SCALARS

schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    types=[Node, Payable, Problem, Payer, Quote, AssessedBill, Payment, Receipt],
    config=StrawberryConfig(scalar_map=SCALARS),
)
state_costs(schema._schema)


def printed() -> str:
    """Return the schema in SDL, as `schema/schema.graphql` holds it."""
    return schema.as_str() + "\n"
