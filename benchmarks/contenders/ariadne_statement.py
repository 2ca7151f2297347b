"""Ariadne as it comes, over the hand-written endpoint's statements: one a tree."""

from pathlib import Path
from typing import Any

from ariadne import MutationType, QueryType, ScalarType, UnionType, load_schema_from_path, make_executable_schema
from ariadne.asgi import GraphQL
from graphql import FieldNode, GraphQLResolveInfo
from starlette.types import Receive, Scope, Send

from benchmarks.contenders.bare import PAGE, Endpoint, opened

query = QueryType()
mutation = MutationType()


@query.field("payer")
async def payer(_: object, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
    """By one statement or the other, as it is selected."""
    selections = info.field_nodes[0].selection_set
    assert selections is not None
    selected = {node.name.value for node in selections.selections if isinstance(node, FieldNode)}
    if "payablePeriods" in selected:
        return (await app.endpoint.payer(arguments))["payer"]
    first = info.variable_values.coerced.get("first", PAGE)
    return (await app.endpoint.bills(arguments | {"first": first}))["payer"]


@mutation.field("requestQuote")
async def request_quote(_: object, _info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
    """A price."""
    return (await app.endpoint.quote(arguments))["requestQuote"]


@mutation.field("submitPayment")
async def submit_payment(_: object, _info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
    """A payment."""
    return (await app.endpoint.payment(arguments))["submitPayment"]


def _kind(value: dict[str, Any], *_: object) -> str:
    return str(value["__typename"])


class App:
    """The ASGI app: the endpoint opens and closes with the server."""

    endpoint: Endpoint

    def __init__(self) -> None:
        self._graphql = GraphQL(
            make_executable_schema(
                load_schema_from_path(str(Path(__file__).parent / "peers.graphql")),
                query,
                mutation,
                ScalarType("ResidentId"),
                UnionType("RequestQuoteResult", _kind),
                UnionType("SubmitPaymentResult", _kind),
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "lifespan":
            await self._graphql(scope, receive, send)
            return
        await receive()
        self.endpoint = await opened()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.endpoint.pool.close()
        await send({"type": "lifespan.shutdown.complete"})


app = App()
