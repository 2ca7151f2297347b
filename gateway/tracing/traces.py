"""Where spans go: sampled, queued, and sent in batches to a collector by OTLP over HTTP."""

import asyncio
from importlib.metadata import version
from typing import Final

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Tracer

from gateway.settings import Settings

#: Spans that wait for the collector, some 2 MB. What comes on top is dropped: a collector that is away, or slow, holds
#: nothing up.
MAX_QUEUED: Final = 2048
#: Spans of one message to it, some 200 kB.
MAX_BATCH: Final = 512
#: Between two messages, unless a batch is full.
SEND_EVERY_SECONDS: Final = 2.0
#: Of one message, with its repetitions.
SEND_TIMEOUT_SECONDS: Final = 5.0
#: At the end, for what is still queued. A server has DRAIN_SECONDS for everything.
END_SECONDS: Final = 3.0

#: Of what one span may hold; it is ours, and less.
_LIMITS: Final = SpanLimits(
    max_span_attributes=32,
    max_span_attribute_length=256,
    max_events=0,
    max_links=0,
)


class Traces:
    """The spans of one process, which is called `service`. The settings have their `traces_url`."""

    def __init__(self, settings: Settings, service: str) -> None:
        assert settings.traces_url is not None
        self._exporter = OTLPSpanExporter(
            settings.traces_url, timeout=SEND_TIMEOUT_SECONDS, compression=Compression.Gzip
        )
        ratio = TraceIdRatioBased(settings.traces_ratio)
        # A caller may have its trace continued, and has no say in how much is written here: its flag is not asked.
        sampler = ParentBased(ratio, remote_parent_sampled=ratio, remote_parent_not_sampled=ratio)
        self._provider = TracerProvider(
            sampler=sampler,
            resource=Resource.create({SERVICE_NAME: service, SERVICE_VERSION: version("contribution-gateway")}),
            # The app and the worker end it: what waits for a collector at the interpreter's end would hold that up.
            shutdown_on_exit=False,
            span_limits=_LIMITS,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._exporter,
                max_queue_size=MAX_QUEUED,
                schedule_delay_millis=SEND_EVERY_SECONDS * 1000,
                max_export_batch_size=MAX_BATCH,
            )
        )

    @property
    def tracer(self) -> Tracer:
        """Return what begins spans."""
        return self._provider.get_tracer("gateway")

    async def end(self) -> None:
        """Send what is queued, for END_SECONDS at the most and the message that is under way."""
        ending = asyncio.create_task(asyncio.to_thread(self._provider.shutdown))
        await asyncio.wait({ending}, timeout=END_SECONDS)
        if not ending.done():
            self._exporter.shutdown()  # type: ignore[no-untyped-call]
        await ending
