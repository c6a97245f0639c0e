"""Logs and traces: one JSON object a line, static event names, no payloads, no secrets; one trace across the queues."""

import logging
import sys
from collections.abc import Mapping

import orjson
import structlog
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from structlog.typing import EventDict, Processor, WrappedLogger

tracer = trace.get_tracer("smelt")


def configure(service: str, level: str = "INFO") -> None:
    """Set up logging and tracing for this process. Idempotent; call it once more in a forked child."""
    shared_processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _with_trace,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared_processors, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)  # standard output is for results
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared_processors,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_line),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("botocore", "boto3", "urllib3", "httpx", "httpcore", "celery", "kombu", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider(resource=Resource.create({"service.name": f"smelt-{service}"})))
    structlog.contextvars.bind_contextvars(service=service)


def carrier() -> dict[str, str]:
    """The current trace as `traceparent`, for object metadata and message attributes; empty outside a span."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers


def remote_context(headers: Mapping[str, str]) -> Context:
    """The trace that a producer left in metadata or attributes."""
    return propagate.extract(headers)


def trace_id() -> str:
    """The current trace's id, 32 hex digits; empty outside a span."""
    context = trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else ""


def _with_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if current := trace_id():
        event["trace_id"] = current
    return event


def _line(event: EventDict, **_: object) -> str:
    return orjson.dumps(event, default=str).decode()
