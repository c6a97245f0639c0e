"""Logs, traces and metrics: static names, no payloads, no secrets; one trace from the request to the committed row."""

from shared.telemetry.collector import export, stop
from shared.telemetry.logs import configure
from shared.telemetry.traces import (
    at_failure,
    carrier,
    each,
    note,
    of_message,
    of_object,
    remote_context,
    span,
    trace_id,
    tracer,
)

__all__ = [
    "at_failure",
    "carrier",
    "configure",
    "each",
    "export",
    "note",
    "of_message",
    "of_object",
    "remote_context",
    "span",
    "stop",
    "trace_id",
    "tracer",
]
