"""Export of traces and metrics over OTLP, if the standard `OTEL_…` variables name a collector.

Exports happen in background threads. If the collector is slow or unreachable, telemetry is dropped; processing is not
affected.
"""

import atexit
import os
import threading
from collections.abc import Callable

import structlog
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

log = structlog.get_logger()

FLUSH_TIMEOUT_SECONDS = 3.0  # that a stop waits for the export of buffered data
ENDPOINT = "OTEL_EXPORTER_OTLP_{}ENDPOINT"


class ShutdownThread:
    """Shuts exporters down in a thread started in advance, as no thread can start while the interpreter exits."""

    def __init__(self, *closings: Callable[[], object]) -> None:
        self._closings = closings
        self._due = threading.Event()
        self._thread = threading.Thread(target=self._close, name="telemetry", daemon=True)
        self._thread.start()
        atexit.register(self)

    def __call__(self) -> None:
        """Export the rest and shut down, or give up after FLUSH_TIMEOUT_SECONDS."""
        self._due.set()
        self._thread.join(FLUSH_TIMEOUT_SECONDS)

    def _close(self) -> None:
        self._due.wait()
        for close in self._closings:
            close()


_lock = threading.Lock()
_shutdown_threads: list[ShutdownThread] = []  # of this process, at most one


def is_exporting() -> bool:
    """Whether this process exports telemetry."""
    return bool(_shutdown_threads)


def export() -> bool:
    """Start exporting if a collector is configured; returns whether it is.

    Idempotent. Call it in the process that does the work, after any fork and after `configure`. Invalid settings are
    logged and disable the export.
    """
    with _lock:
        if not _shutdown_threads:
            try:
                _shutdown_threads.extend(_begin())
            except Exception as error:  # noqa: BLE001 - messages must be handled whatever is wrong with telemetry
                log.error("telemetry.off", error_type=type(error).__name__, error=str(error))  # noqa: TRY400
    return is_exporting()


def stop() -> None:
    """Export the rest and stop. Processes do so at exit, except for children of a pool."""
    with _lock:
        while _shutdown_threads:
            _shutdown_threads.pop()()


def otlp_reader() -> MetricReader | None:
    """A reader that exports metrics periodically (`OTEL_METRIC_EXPORT_INTERVAL`, ms); None without a collector."""
    if not _collector("METRICS_"):
        return None
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    return PeriodicExportingMetricReader(OTLPMetricExporter())


def resource() -> Resource:
    """The resource of this process; a forked child is an instance of its own."""
    provider = trace.get_tracer_provider()
    return provider.resource if isinstance(provider, TracerProvider) else Resource.create()


def _begin() -> list[ShutdownThread]:
    closings: list[Callable[[], object]] = []
    provider = trace.get_tracer_provider()
    if _collector("TRACES_") and isinstance(provider, TracerProvider):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider.add_span_processor(spans := BatchSpanProcessor(OTLPSpanExporter()))
        closings.append(spans.shutdown)
    if reader := otlp_reader():
        metrics.set_meter_provider(meters := MeterProvider([reader], resource=resource(), shutdown_on_exit=False))
        closings.append(meters.shutdown)
    return [ShutdownThread(*closings)] if closings else []


def _collector(signal: str) -> bool:
    """Whether a collector is configured, for this signal or for all."""
    return any(os.environ.get(ENDPOINT.format(which)) for which in (signal, ""))
