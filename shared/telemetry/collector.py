"""Sending traces and metrics over OTLP to the collector that the standard `OTEL_…` variables name, if they name one.

The network is a matter of background threads: a collector that is slow or away costs what was to be sent to it.
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

PATIENCE = 3.0  # s that a stop waits for the collector to take the rest
ENDPOINT = "OTEL_EXPORTER_OTLP_{}ENDPOINT"


class Ending:
    """Closes what sends, in a thread that is there before it is needed: an interpreter that ends starts none."""

    def __init__(self, *closings: Callable[[], object]) -> None:
        self._closings = closings
        self._due = threading.Event()
        self._thread = threading.Thread(target=self._close, name="telemetry", daemon=True)
        self._thread.start()
        atexit.register(self)

    def __call__(self) -> None:
        """Send the rest and close, or give up after PATIENCE."""
        self._due.set()
        self._thread.join(PATIENCE)

    def _close(self) -> None:
        self._due.wait()
        for close in self._closings:
            close()


_lock = threading.Lock()
_endings: list[Ending] = []  # of this process: none, or one


def exporting() -> bool:
    """Whether a collector is told what this process does."""
    return bool(_endings)


def export() -> bool:
    """Begin to send what this process does; whether there is a collector to send it to.

    Idempotent. Call it in the process that does the work, after any fork, after `configure`. Wrong settings are logged
    and leave it off: the work goes on.
    """
    with _lock:
        if not _endings:
            try:
                _endings.extend(_begin())
            except Exception as error:  # noqa: BLE001 - whatever is wrong with telemetry, messages are handled
                log.error("telemetry.off", error_type=type(error).__name__, error=str(error))  # noqa: TRY400
    return exporting()


def stop() -> None:
    """Send the rest, within PATIENCE. It happens by itself where a process ends in order, but for a child of a pool."""
    with _lock:
        while _endings:
            _endings.pop()()


def otlp_reader() -> MetricReader | None:
    """What sends metrics from time to time (`OTEL_METRIC_EXPORT_INTERVAL`, ms); None without a collector for them."""
    if not _collector("METRICS_"):
        return None
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    return PeriodicExportingMetricReader(OTLPMetricExporter())


def resource() -> Resource:
    """Who this process is, in every export: a forked child is another instance than its parent."""
    provider = trace.get_tracer_provider()
    return provider.resource if isinstance(provider, TracerProvider) else Resource.create()


def _begin() -> list[Ending]:
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
    return [Ending(*closings)] if closings else []


def _collector(signal: str) -> bool:
    """Whether the environment names a collector, for one signal or for all."""
    return any(os.environ.get(ENDPOINT.format(which)) for which in (signal, ""))
