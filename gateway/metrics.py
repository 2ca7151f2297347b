"""Metrics of the HTTP edge, for Prometheus; of several workers together where there are several."""

import os
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: The paths that there are: a label of anything else would grow with what strangers ask for.
_PATHS = frozenset(
    {
        "/graphql",
        "/oauth/token",
        "/oauth/revoke",
        "/oauth/introspect",
        "/.well-known/oauth-authorization-server",
        "/.well-known/jwks.json",
        "/.well-known/voucher-certificate.pem",
        "/healthz",
        "/readyz",
        "/metrics",
        "/verify",
        "/operator",
        "/operator/sign-in",
        "/operator/sign-out",
        "/",
        "/graphiql",
        "/graphiql/token",
        "/reference",
        "/reference/problems",
    }
)

#: One path for each day or receipt, counted as one.
_SETTLEMENTS = "/settlements/"
_RECEIPTS = "/receipts/"

#: Where the workers of one server keep their counts for one another; the server sets it.
MULTIPROCESS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"


@dataclass
class Metrics:
    """The counters of this process, and the registry that reads them."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        own = CollectorRegistry() if MULTIPROCESS_DIRECTORY in os.environ else self.registry
        if own is not self.registry:
            MultiProcessCollector(self.registry)  # type: ignore[no-untyped-call]
        self.requests = Counter("gateway_http_requests_total", "Requests answered.", ["path", "status"], registry=own)
        self.lookup_failures = Counter(
            "gateway_lookup_failures_total", "Look-ups of people that found nobody.", registry=own
        )
        self.lookups_locked = Counter(
            "gateway_lookups_locked_total",
            "Locks of a client's look-ups, of one number or of all.",
            ["of"],
            registry=own,
        )
        for locked in ("NUMBER", "CLIENT"):
            self.lookups_locked.labels(locked)
        self.redis_failures = Counter(
            "gateway_redis_failures_total",
            "Calls of Redis that failed: budgets are in PostgreSQL meanwhile.",
            registry=own,
        )
        self.seconds = Histogram(
            "gateway_http_request_seconds",
            "Time from a request's head to its answer.",
            ["path"],
            registry=own,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )

        # To find one by its labels takes longer than to count: paths and statuses are few.
        self._of_request: dict[tuple[str, str], tuple[Counter, Histogram]] = {}

    def answered(self, path: str, status: str, seconds: float) -> None:
        """Count one request of these labels, and how long it took."""
        of_request = self._of_request.get((path, status))
        if of_request is None:
            of_request = self.requests.labels(path, status), self.seconds.labels(path)
            self._of_request[path, status] = of_request
        requests, durations = of_request
        requests.inc()
        durations.observe(seconds)


class MetricsMiddleware:
    """Counts and times every HTTP request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and watch its answer begin."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = path_label(scope["path"])
        begun = time.perf_counter()
        # A request whose client went away before an answer began.
        status = "499"

        def watched(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            return send(message)

        try:
            await self._app(scope, receive, watched)
        except BaseException:
            status = "500"
            raise
        finally:
            self._metrics.answered(path, status, time.perf_counter() - begun)


def path_label(path: str) -> str:
    """Return the path as it is counted: one of those that there are, or "other"."""
    if path in _PATHS:
        return path
    if path.startswith(_RECEIPTS):
        return f"{_RECEIPTS}{{number}}.pdf"
    return f"{_SETTLEMENTS}{{date}}" if path.startswith(_SETTLEMENTS) else "other"
