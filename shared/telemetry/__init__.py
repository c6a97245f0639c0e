"""Logs, traces and metrics: static names, no payloads, no secrets; one trace from the request to the committed row."""

from shared.telemetry.collector import export, stop
from shared.telemetry.logs import configure
from shared.telemetry.traces import (
    carrier,
    message_span,
    object_span,
    record_failure,
    remote_context,
    set_span_attributes,
    span,
    trace_id,
    traced_iter,
    tracer,
)

__all__ = [
    "carrier",
    "configure",
    "export",
    "message_span",
    "object_span",
    "record_failure",
    "remote_context",
    "set_span_attributes",
    "span",
    "stop",
    "trace_id",
    "traced_iter",
    "tracer",
]
