"""Plain Strawberry: the gateway's own schema and resolvers behind the view that Strawberry comes with, as it comes.

Whoever asks is one fixed client: no token is looked at.
"""

import datetime
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.schema._graphql_core import BaseGraphQLExecutionContext
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from auth import scopes
from auth.tokens import Caller
from benchmarks.contenders.bare import opened
from database.pool import InstitutionPool
from resolvers.call import Call
from schema.context import Context
from schema.contract import schema

LOCALE = "zh_CN"
QUOTE_TTL = datetime.timedelta(minutes=30)


class CoreInfo(StrawberryGraphQLCoreExecutionContext):
    """Gives the resolvers graphql-core's own variables, as the gateway does: Strawberry's lack what they select by."""

    build_resolve_info = BaseGraphQLExecutionContext.build_resolve_info


class View(GraphQL[Any, None]):
    """Strawberry's view with the gateway's context."""

    call: Call

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Any:
        """Return what the resolvers share."""
        return Context(self.call, LOCALE, "http://127.0.0.1")


schema.execution_context_class = CoreInfo
view = View(schema)


@asynccontextmanager
async def _lifespan(_app: Starlette) -> AsyncIterator[None]:
    endpoint = await opened()
    code = os.environ["BENCH_INSTITUTION_CODE"]
    caller = Caller(endpoint.client_id, endpoint.institution_id, code, code, "BANK", "COUNTER", scopes.COUNTER)
    pool = InstitutionPool(endpoint.pool, endpoint.institution_id)
    view.call = Call(caller, pool, endpoint.vault, endpoint.business_date, QUOTE_TTL)
    yield
    await endpoint.pool.close()


app = Starlette(lifespan=_lifespan)
app.mount("/graphql", view)
