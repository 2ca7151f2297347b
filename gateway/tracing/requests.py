"""The span of an HTTP request: which path, which status, how long; the bank's own trace goes on in it."""

import re
from typing import Final

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.semconv.attributes import error_attributes, http_attributes
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contributions import resident_id
from gateway.metrics import path_label

#: One of version 00 has 55 characters; a later version may add to it (W3C Trace Context, 3.2.4).
MAX_TRACEPARENT_BYTES: Final = 128

#: A method is the caller's word, and anything but these is no name of ours.
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_DIGITS: Final = re.compile(r"(?=([0-9]{18}))")
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class TracedRequests:
    """Wraps a whole app. Log lines of a request have its `trace_id`, whether it is sampled or not."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, within its span."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        route = path_label(scope["path"])
        status: int | None = None

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._tracer.start_as_current_span(
            f"{method} {route}",
            continued(scope),
            SpanKind.SERVER,
            {http_attributes.HTTP_REQUEST_METHOD: method, http_attributes.HTTP_ROUTE: route},
            # An exception's message may hold a value.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            trace_id = format_trace_id(span.get_span_context().trace_id)
            try:
                with structlog.contextvars.bound_contextvars(trace_id=trace_id):
                    await self._app(scope, receive, watched)
            except BaseException as error:
                failed(span, error)
                raise
            finally:
                if status is not None:
                    span.set_attribute(http_attributes.HTTP_RESPONSE_STATUS_CODE, status)
                    if status >= 500:
                        span.set_status(Status(StatusCode.ERROR))


def continued(scope: Scope) -> Context:
    """Return the caller's trace from its `traceparent`, or none: for several, a long or odd one.

    A `tracestate` is not read: what others write into it is not for our collector.
    """
    given = [value for name, value in scope["headers"] if name == b"traceparent"]
    if len(given) != 1 or len(given[0]) > MAX_TRACEPARENT_BYTES:
        return Context()
    value = given[0].decode("latin-1")
    # The header is the only text of a caller's that a span or a log line has. A random id holds no such number.
    if any(_is_resident_id(match[1]) for match in _DIGITS.finditer(value)):
        return Context()
    return _PROPAGATOR.extract({"traceparent": value}, Context())


def _is_resident_id(digits: str) -> bool:
    try:
        resident_id.parse(digits)
    except resident_id.InvalidResidentId:
        return False
    return True


def failed(span: trace.Span, error: BaseException) -> None:
    """Write down that an exception ended what the span is of: its kind, without what it says."""
    span.set_attribute(error_attributes.ERROR_TYPE, f"{type(error).__module__}.{type(error).__qualname__}")
    span.set_status(Status(StatusCode.ERROR))
