"""What a worker is made of. With tracing, some of it is replaced by what makes spans (gateway/parts.py: a server's)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

from database.lending import RequestConnection
from gateway.outbox.worker import Entrypoint
from gateway.settings import Settings


def _same(entrypoint: Entrypoint) -> Entrypoint:
    return entrypoint


def _nothing(_client: httpx.AsyncClient) -> None:
    """Without a trace there is none to carry on."""


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What a worker is made of: connections, what is around a job and done to a client, and what ends with it."""

    connection: type[RequestConnection] = RequestConnection
    around: Callable[[Entrypoint], Entrypoint] = _same
    carry_on: Callable[[httpx.AsyncClient], None] = _nothing
    end: Callable[[], Awaitable[None]] | None = None


def worker_parts_of(settings: Settings) -> WorkerParts:
    """Return what a worker with these settings is made of."""
    if settings.traces_url is None:
        return WorkerParts()
    from gateway.tracing.jobs import carry_on, traced_entrypoint
    from gateway.tracing.statements import traced_connections
    from gateway.tracing.traces import Traces

    traces = Traces(settings, "gateway-worker")
    tracer = traces.tracer
    return WorkerParts(
        connection=traced_connections(tracer),
        around=lambda entrypoint: traced_entrypoint(entrypoint, tracer),
        carry_on=carry_on,
        end=traces.end,
    )
