"""The classes that a server is made of. With tracing, some are replaced by those that make spans.

So tracing that is off costs a request nothing: nothing of it is there, nor imported. A worker's are in outbox/parts.py.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import ASGIApp

from database.lending import RequestConnection
from gateway.endpoints.bearer import Gate
from gateway.execution.runner import Runner
from gateway.execution.trusted import ClientDocuments
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """What a server is made of: classes, what is around the app, and what ends with it."""

    connection: type[RequestConnection] = RequestConnection
    gate: type[Gate] = Gate
    documents: type[ClientDocuments] = ClientDocuments
    runner: type[Runner] = Runner
    around: Callable[[ASGIApp], ASGIApp] | None = None
    end: Callable[[], Awaitable[None]] | None = None


def parts_of(settings: Settings) -> Parts:
    """Return what a server with these settings is made of."""
    if settings.traces_url is None:
        return Parts()
    from gateway.tracing.operations import TracedDocuments, TracedGate, traced_runner
    from gateway.tracing.requests import TracedRequests
    from gateway.tracing.statements import traced_connections
    from gateway.tracing.traces import Traces

    traces = Traces(settings, "gateway")
    tracer = traces.tracer
    return Parts(
        connection=traced_connections(tracer),
        gate=TracedGate,
        documents=TracedDocuments,
        runner=traced_runner(tracer),
        around=lambda app: TracedRequests(app, tracer),
        end=traces.end,
    )
