"""Tracing from the request to the committed row. S3 events carry no trace context, so it is in the object metadata."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar, cast

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanKind, StatusCode

from shared.telemetry.collector import is_exporting

T = TypeVar("T")
Value = str | int | float | bool | None  # of an attribute; None is omitted

MAX_REASON_LENGTH = 1_000  # characters of an error

tracer = trace.get_tracer("smelt")

_FAILED: ContextVar[Span | None] = ContextVar("failed", default=None)


def carrier() -> dict[str, str]:
    """The current trace context as `traceparent`, for object metadata and message attributes; empty outside a span."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers


def remote_context(headers: Mapping[str, str]) -> Context:
    """The trace context in metadata or attributes."""
    return propagate.extract(headers)


def trace_id() -> str:
    """The current trace id, 32 hex digits; empty outside a span."""
    context = trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else ""


@contextmanager
def message_span(service: str, attributes: Mapping[str, str], **span_attributes: Value) -> Iterator[Span]:
    """The span of a message, in the trace of its attributes or a new one."""
    _FAILED.set(None)
    context = remote_context(attributes)
    with tracer.start_as_current_span(f"{service}.message", context=context, kind=SpanKind.CONSUMER) as span:
        set_span_attributes(**span_attributes)
        yield span


@contextmanager
def object_span(service: str, metadata: Mapping[str, str], began: int, **span_attributes: Value) -> Iterator[Span]:
    """The span of an object with a child span for its fetch; `began` is its start in epoch nanoseconds.

    It continues the trace in the object's metadata and links to the message's span. Without one in the metadata it is a
    child of the message's span.
    """
    context = remote_context(metadata)
    carried = trace.get_current_span(context).get_span_context().is_valid
    links = [Link(trace.get_current_span().get_span_context())] if carried else []
    start = tracer.start_as_current_span
    with start(f"{service}.object", context if carried else None, links=links, start_time=began) as span:
        set_span_attributes(**span_attributes)
        _past(f"{service}.fetch", began)
        try:
            yield span
        except Exception:
            _FAILED.set(span)
            raise


@contextmanager
def record_failure(error: Exception) -> Iterator[None]:
    """Mark the message's span as failed. Logs inside belong to the trace of the failed object."""
    message = trace.get_current_span()
    message.record_exception(error)
    message.set_status(StatusCode.ERROR, str(error)[:MAX_REASON_LENGTH])
    with trace.use_span(_FAILED.get() or message, record_exception=False, set_status_on_exception=False):
        yield


@contextmanager
def span(name: str, **span_attributes: Value) -> Iterator[Span]:
    """A span, if this process exports telemetry; otherwise a no-op."""
    if not is_exporting():
        yield INVALID_SPAN
        return
    with tracer.start_as_current_span(name) as current:
        set_span_attributes(**span_attributes)
        yield current


def traced_iter(name: str, items: Iterable[T]) -> Iterator[T]:
    """Iterate with a span for the production of each item."""
    iterator, end = iter(items), object()
    while True:
        began = time.time_ns()
        try:
            item = next(iterator, end)
        except Exception as error:
            _past(name, began, error)
            raise
        if item is end:
            return
        _past(name, began)
        yield cast("T", item)


def set_span_attributes(**span_attributes: Value) -> None:
    """Set attributes of the current span, except None."""
    trace.get_current_span().set_attributes(
        {name: value for name, value in span_attributes.items() if value is not None}
    )


def _past(name: str, began: int, error: Exception | None = None) -> None:
    """Create a span that began then and ends now."""
    if is_exporting():
        past = tracer.start_span(name, start_time=began)
        if error:
            past.record_exception(error)
            past.set_status(StatusCode.ERROR, str(error)[:MAX_REASON_LENGTH])
        past.end()
