"""Traces by OpenTelemetry, if OTEL_EXPORTER_OTLP_ENDPOINT is set: a span per request, task and vendor call.

All work of one request is in one trace: its id is derived from the request id, which tasks store.
"""

import asyncio
import hashlib
import re
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import hortus
from hortus.core import context
from hortus.core.configuration import UnsafeSettings
from hortus.core.settings import Settings
from hortus.core.telemetry import tracing

_HEX = re.compile(r"[0-9a-f]{32}")


def trace_id_of(request_id: str) -> int:
    """The trace of a request: its id, if that is a UUID, or else a digest of it."""
    bare = request_id.replace("-", "").lower()
    if not _HEX.fullmatch(bare) or not int(bare, 16):
        bare = hashlib.sha256(request_id.encode()).hexdigest()[:32]
    return int(bare, 16)


@asynccontextmanager
async def export_traces(settings: Settings) -> AsyncIterator[None]:
    """Send spans while the block runs, and the last of them at its end. Raises UnsafeSettings without the library."""
    if not settings.otel_exporter_otlp_endpoint:
        yield
        return
    provider = _provider(settings)
    tracing.trace_with(_opener(provider))
    try:
        yield
    finally:
        tracing.trace_with(None)
        await asyncio.to_thread(provider.shutdown)


def _provider(settings: Settings) -> Any:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - loaded only where wanted
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - as above
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above
        from opentelemetry.sdk.trace.id_generator import IdGenerator  # noqa: PLC0415 - as above
    except ImportError as error:
        raise UnsafeSettings("OTEL_EXPORTER_OTLP_ENDPOINT is set: install hortus[observe].") from error

    class Ids(IdGenerator):
        """The trace is that of the request."""

        def generate_span_id(self) -> int:
            return secrets.randbits(64) or 1

        def generate_trace_id(self) -> int:
            request_id = context.request_id.get()
            return trace_id_of(request_id) if request_id != "-" else secrets.randbits(128) or 1

    named = {"service.name": settings.otel_service_name, "service.version": hortus.__version__}
    provider = TracerProvider(resource=Resource.create(named), id_generator=Ids(), shutdown_on_exit=False)
    endpoint = settings.otel_exporter_otlp_endpoint.rstrip("/") + "/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider


def _opener(provider: Any) -> tracing.Open:
    from opentelemetry import trace  # noqa: PLC0415 - loaded only where wanted
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - as above
        TraceContextTextMapPropagator,
    )

    tracer, propagator = provider.get_tracer("hortus", hortus.__version__), TraceContextTextMapPropagator()
    kinds = {
        "server": trace.SpanKind.SERVER,
        "consumer": trace.SpanKind.CONSUMER,
        "client": trace.SpanKind.CLIENT,
    }

    @contextmanager
    def span(name: str, kind: tracing.Kind, attributes: Mapping[str, Any], carrier: Mapping[str, str]) -> Iterator[Any]:
        caused_by = propagator.extract(carrier) if "traceparent" in carrier else None
        sent = {**attributes, "hortus.request_id": context.request_id.get()}
        # The message of an exception may contain a customer's text: only its class is sent.
        with tracer.start_as_current_span(
            name, caused_by, kinds[kind], sent, record_exception=False, set_status_on_exception=False
        ) as opened:
            try:
                yield opened
            except BaseException as error:
                opened.set_attribute("error.type", type(error).__name__)
                opened.set_status(trace.StatusCode.ERROR)
                raise

    return span
