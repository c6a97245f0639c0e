"""A collector of our own on loopback: keeps what it is told over OTLP, or takes it and never answers."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Seen:
    """A span as received."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]  # ids of spans
    attributes: dict[str, Any]
    failed: bool
    events: tuple[str, ...]


@dataclass
class Collector:
    """What was received. `points` are {(metric, instance, labels): the newest value, or a histogram's count}."""

    url: str
    spans: dict[str, Seen] = field(default_factory=dict)
    points: dict[tuple[str, str, frozenset[tuple[str, Any]]], float] = field(default_factory=dict)

    def ancestry(self, span: Seen) -> list[str]:
        """The names of a span and of those above it, up to the first of the trace."""
        names = [span.name]
        while span.parent:
            span = self.spans[span.parent]
            names.append(span.name)
        return names

    def named(self, name: str, **attributes: Any) -> list[Seen]:
        """Spans of this name that have these attributes."""
        return [s for s in self.spans.values() if s.name == name and attributes.items() <= s.attributes.items()]

    def total(self, metric: str, **labels: Any) -> float:
        """Of all processes together."""
        return sum(
            value
            for (name, _, has), value in self.points.items()
            if name == metric and labels.items() <= dict(has).items()
        )


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens until left."""
    collector = Collector("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            (_keep_spans if self.path == "/v1/traces" else _keep_points)(collector, body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with serving(Handler) as collector.url:
        yield collector


@contextmanager
def black_hole() -> Iterator[str]:
    """The URL of one that reads requests and never answers them."""
    left = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            left.wait()

    with serving(Handler) as url:
        try:
            yield url
        finally:
            left.set()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server with this handler, on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _keep_spans(collector: Collector, body: bytes) -> None:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _plain(resource.resource.attributes)["service.name"]
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            collector.spans[span.span_id.hex()] = Seen(
                service=service,
                name=span.name,
                trace=span.trace_id.hex(),
                id=span.span_id.hex(),
                parent=span.parent_span_id.hex(),
                links=tuple(link.span_id.hex() for link in span.links),
                attributes=_plain(span.attributes),
                failed=span.status.code == span.status.STATUS_CODE_ERROR,
                events=tuple(event.name for event in span.events),
            )


def _keep_points(collector: Collector, body: bytes) -> None:
    for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
        instance = _plain(resource.resource.attributes)["service.instance.id"]
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            kind = metric.WhichOneof("data")
            for point in getattr(metric, kind).data_points:
                labels = frozenset(_plain(point.attributes).items())
                value = point.count if kind == "histogram" else point.as_double or point.as_int
                collector.points[metric.name, instance, labels] = value


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
