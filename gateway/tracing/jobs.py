"""The span of a worker's job, which goes on at whoever is sent something."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import httpx
import structlog
from opentelemetry import trace
from opentelemetry.semconv.attributes import http_attributes
from opentelemetry.trace import SpanKind, Tracer, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.outbox.worker import Entrypoint
from gateway.tracing.requests import failed

#: The row that the job is of: a posting or a delivery, as the operator's commands and the logs name it.
JOB: Final = "gateway.job.id"
#: Whether the job is to be done again.
AGAIN: Final = "gateway.job.again"

_PROPAGATOR: Final = TraceContextTextMapPropagator()


def traced_entrypoint(entrypoint: Entrypoint, tracer: Tracer) -> Entrypoint:
    """Return the same entrypoint with a span around each job."""

    async def handle(row_id: int) -> timedelta | None:
        with tracer.start_as_current_span(
            entrypoint.name,
            kind=SpanKind.CONSUMER,
            attributes={JOB: row_id},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            trace_id = format_trace_id(span.get_span_context().trace_id)
            try:
                with structlog.contextvars.bound_contextvars(trace_id=trace_id):
                    delay = await entrypoint.handle(row_id)
            except BaseException as error:
                failed(span, error)
                raise
            span.set_attribute(AGAIN, delay is not None)
            return delay

    return Entrypoint(entrypoint.name, handle)


def carry_on(client: httpx.AsyncClient) -> None:
    """Have each request of the client carry the job's trace, and the job's span the status of the answer."""

    async def carried(request: httpx.Request) -> None:
        _PROPAGATOR.inject(request.headers)

    async def answered(response: httpx.Response) -> None:
        trace.get_current_span().set_attribute(http_attributes.HTTP_RESPONSE_STATUS_CODE, response.status_code)

    hooks: dict[str, list[Callable[..., Awaitable[None]]]] = {"request": [carried], "response": [answered]}
    client.event_hooks = hooks
