"""Logs, traces and metrics: static names, no payloads, no secrets; one trace from the request to the committed row."""

from shared.telemetry.collector import export, stop
from shared.telemetry.logs import configure
from shared.telemetry.traces import (
    carrier,
    of_message,
    of_object,
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
    "of_message",
    "of_object",
    "record_failure",
    "remote_context",
    "set_span_attributes",
    "span",
    "stop",
    "trace_id",
    "traced_iter",
    "tracer",
]
