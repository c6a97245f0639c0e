"""Traces: one from the request to the committed row. S3's events carry none, so each object carries its own."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar, cast

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanKind, StatusCode

from shared.telemetry.collector import exporting

T = TypeVar("T")
Value = str | int | float | bool | None  # of an attribute; one that is None is left out

MAX_REASON_LENGTH = 1_000  # characters of an error

tracer = trace.get_tracer("smelt")

_FAILED: ContextVar[Span | None] = ContextVar("failed", default=None)


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


@contextmanager
def of_message(service: str, attributes: Mapping[str, str], **described: Value) -> Iterator[Span]:
    """The span of a message: in the trace that its attributes carry, else the first of a new one."""
    _FAILED.set(None)
    context = remote_context(attributes)
    with tracer.start_as_current_span(f"{service}.message", context=context, kind=SpanKind.CONSUMER) as span:
        set_span_attributes(**described)
        yield span


@contextmanager
def of_object(service: str, metadata: Mapping[str, str], began: int, **described: Value) -> Iterator[Span]:
    """The span of an object that a message named, with one for its fetch; `began` is when, in epoch nanoseconds.

    It goes on with the trace in the object's metadata and links to the message's span. An object without one is a part
    of the message's trace.
    """
    context = remote_context(metadata)
    carried = trace.get_current_span(context).get_span_context().is_valid
    links = [Link(trace.get_current_span().get_span_context())] if carried else []
    start = tracer.start_as_current_span
    with start(f"{service}.object", context if carried else None, links=links, start_time=began) as span:
        set_span_attributes(**described)
        _past(f"{service}.fetch", began)
        try:
            yield span
        except Exception:
            _FAILED.set(span)
            raise


@contextmanager
def record_failure(error: Exception) -> Iterator[None]:
    """Marks the message's span. What is said of the error inside belongs to the trace of the object that it befell."""
    message = trace.get_current_span()
    message.record_exception(error)
    message.set_status(StatusCode.ERROR, str(error)[:MAX_REASON_LENGTH])
    with trace.use_span(_FAILED.get() or message, record_exception=False, set_status_on_exception=False):
        yield


@contextmanager
def span(name: str, **described: Value) -> Iterator[Span]:
    """A span of a part of the work, where a collector is told of it; elsewhere nothing, at the cost of nothing."""
    if not exporting():
        yield INVALID_SPAN
        return
    with tracer.start_as_current_span(name) as current:
        set_span_attributes(**described)
        yield current


def traced_iter(name: str, items: Iterable[T]) -> Iterator[T]:
    """The items, with a span for the making of each: for work that is done while it is asked for."""
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


def set_span_attributes(**described: Value) -> None:
    """Attributes of the current span."""
    trace.get_current_span().set_attributes({name: value for name, value in described.items() if value is not None})


def _past(name: str, began: int, error: Exception | None = None) -> None:
    """The span of what began then and ends now."""
    if exporting():
        past = tracer.start_span(name, start_time=began)
        if error:
            past.record_exception(error)
            past.set_status(StatusCode.ERROR, str(error)[:MAX_REASON_LENGTH])
        past.end()
