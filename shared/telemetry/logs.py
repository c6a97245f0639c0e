"""Logging: one JSON object per line, with the current trace id."""

import logging
import re
import sys

import orjson
import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.telemetry.traces import trace_id
from shared.version import VERSION

# Characters that terminals interpret and JSON does not escape: DEL, C1 controls, Unicode line and direction controls.
CONTROL_CHARACTERS = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def configure(service: str, level: str = "INFO") -> None:
    """Set up logging and tracing for this process. Idempotent; call it again in a forked child.

    Traces get ids; nothing is exported before `export`.
    """

    def of_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {"service": service, **event}  # a context variable would not apply to all threads

    shared_processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        of_service,
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
        resource = Resource.create({"service.name": f"smelt-{service}", "service.version": VERSION})
        trace.set_tracer_provider(
            TracerProvider(resource=resource, shutdown_on_exit=False)
        )  # `stop` does it with a timeout


def _with_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if current := trace_id():
        event["trace_id"] = current
    return event


def _line(event: EventDict, **_: object) -> str:
    return CONTROL_CHARACTERS.sub(lambda match: f"\\u{ord(match[0]):04x}", orjson.dumps(event, default=str).decode())
