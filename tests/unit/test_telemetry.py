"""Spans and their traces, without a collector and as one would see them."""

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared import telemetry
from shared.telemetry import collector

TRACE = "0af7651916cd43dd8448eb211c80319c"
STORED = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}  # what the writer of an object left in its metadata


@pytest.fixture(autouse=True)
def finished() -> InMemorySpanExporter:
    """All spans that end."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
    memory = InMemorySpanExporter()
    trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(memory))  # type: ignore[attr-defined]
    return memory


@pytest.fixture
def _received(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were a collector."""
    monkeypatch.setattr(collector, "_shutdown_threads", [object()])


def named(finished: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = [span for span in finished.get_finished_spans() if span.name == name]
    return found


def span_id(span: ReadableSpan) -> int:
    assert span.context
    return span.context.span_id


def trace_of(span: ReadableSpan) -> str:
    assert span.context
    return format(span.context.trace_id, "032x")


def explode() -> Iterator[int]:
    """One item, and then no more for a reason."""
    yield 1
    message = "broken"
    raise ValueError(message)


def test_an_object_goes_on_with_the_trace_of_its_writer_and_links_to_its_message(
    finished: InMemorySpanExporter,
) -> None:
    with telemetry.message_span("loader", {}), telemetry.object_span("loader", STORED, began=1):
        assert telemetry.trace_id() == TRACE
        assert TRACE in telemetry.carrier()["traceparent"]
    message, stored = named(finished, "loader.message"), named(finished, "loader.object")
    assert trace_of(stored) == TRACE
    assert trace_of(message) != TRACE
    assert [link.context.span_id for link in stored.links] == [span_id(message)]
    assert stored.start_time == 1


def test_an_object_without_a_trace_is_a_part_of_its_messages_trace(finished: InMemorySpanExporter) -> None:
    with telemetry.message_span("transformer", {}), telemetry.object_span("transformer", {}, began=1):
        pass
    message, stored = named(finished, "transformer.message"), named(finished, "transformer.object")
    assert stored.parent
    assert stored.parent.span_id == span_id(message)
    assert not stored.links


def test_a_message_goes_on_with_the_trace_of_its_sender(finished: InMemorySpanExporter) -> None:
    with telemetry.message_span("extractor", STORED, receives=2):
        pass
    assert trace_of(named(finished, "extractor.message")) == TRACE
    assert named(finished, "extractor.message").attributes == {"receives": 2}


def test_what_is_said_of_an_error_belongs_to_the_trace_of_the_object_it_befell(
    finished: InMemorySpanExporter,
) -> None:
    with telemetry.message_span("loader", {}):
        with pytest.raises(ValueError, match="broken") as raised, telemetry.object_span("loader", STORED, began=1):
            list(explode())
        with telemetry.record_failure(raised.value):
            assert telemetry.trace_id() == TRACE
        assert telemetry.trace_id() != TRACE
    for name in ("loader.message", "loader.object"):
        assert not named(finished, name).status.is_ok
        assert [event.name for event in named(finished, name).events] == ["exception"]


def test_an_error_of_one_message_is_none_of_the_next() -> None:
    stored = telemetry.object_span("loader", STORED, began=1)
    with telemetry.message_span("loader", {}), pytest.raises(ValueError, match="broken"), stored:
        list(explode())
    with telemetry.message_span("loader", {}), telemetry.record_failure(ValueError("another")):
        assert telemetry.trace_id() != TRACE


@pytest.mark.usefixtures("_received")
def test_each_item_has_a_span_for_its_making_also_the_one_that_fails(finished: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="broken"):
        list(telemetry.traced_iter("parse", explode()))
    assert [(span.name, span.status.is_ok) for span in finished.get_finished_spans()] == [
        ("parse", True),
        ("parse", False),
    ]


@pytest.mark.usefixtures("_received")
def test_attributes_that_are_none_are_left_out(finished: InMemorySpanExporter) -> None:
    with telemetry.span("part", dataset="some", run_id=None):
        pass
    assert named(finished, "part").attributes == {"dataset": "some"}


def test_without_a_collector_parts_of_the_work_have_no_span_but_the_trace_goes_on(
    finished: InMemorySpanExporter,
) -> None:
    with telemetry.message_span("loader", STORED), telemetry.span("loader.load") as span:
        assert not span.is_recording()
        assert telemetry.trace_id() == TRACE
        assert list(telemetry.traced_iter("parse", [1, 2])) == [1, 2]
    assert [span.name for span in finished.get_finished_spans()] == ["loader.message"]


def test_without_a_collector_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("", "TRACES_", "METRICS_"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}ENDPOINT", raising=False)
    assert not telemetry.export()
    assert collector.otlp_reader() is None


def test_wrong_settings_leave_telemetry_off_and_the_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    assert not telemetry.export()
