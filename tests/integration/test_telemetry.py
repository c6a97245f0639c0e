"""One trace from the request, or the upload, to the committed row, as a collector sees it; a dead one harms nothing."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from sqlalchemy import text

from services.ops.connections import Connections
from services.ops.runs import runs
from tests.integration.collector import Collector, Seen, black_hole, collecting
from tests.integration.test_loader import posting
from tests.integration.test_transformer import lines
from tests.support.eventually import eventually
from tests.support.workers import running_workers

pytestmark = pytest.mark.integration

DATASET = "usajobs_search"
TRACE = "0af7651916cd43dd8448eb211c80319c"
NEVER = "3600000"  # ms: what is received before came because its process ended


COMMIT = ["loader.load", "loader.object", "object.put", "transformer.object"]
REQUEST = ["object.put", "extractor.message", "extractor.message"]


@contextmanager
def workers(folder: Path, endpoint: str, pool: str = "prefork", **settings: str) -> Iterator[None]:
    """One of each service, whose telemetry goes to `endpoint` when it stops."""
    environment = {
        **os.environ,
        "SMELT_POOL": pool,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": NEVER,
        "OTEL_METRIC_EXPORT_INTERVAL": NEVER,
        **settings,
    }
    with running_workers(folder, environment):
        yield


def logged(folder: Path, service: str, event: str) -> list[dict[str, Any]]:
    """Lines of a worker's log."""
    lines = map(json.loads, (folder / service).read_text().splitlines())
    return [line for line in lines if line.get("event") == event]


def upload(connections: Connections, name: str, body: bytes, **metadata: str) -> str:
    key = f"uploads/{DATASET}/telemetry/{name}"
    connections.s3.put_object(Bucket=connections.settings.bucket, Key=key, Body=body, Metadata=metadata)
    return key


def in_ledger(connections: Connections, key: str) -> Callable[[], bool]:
    def loaded() -> bool:
        with connections.database.connect() as connection:
            return bool(
                connection.scalar(text("select count(*) from ops.loaded_object where key = :key"), {"key": key})
            )

    return loaded


def committed(collector: Collector, **attributes: Any) -> Seen:
    """The one span of a transaction that these are attributes of."""
    (found,) = collector.named("loader.load", **attributes)
    return found


@pytest.fixture(params=["prefork", "threads"])
def pool(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_one_trace_goes_from_the_request_to_the_committed_row(
    connections: Connections, tmp_path: Path, pool: str
) -> None:
    with collecting() as collector, workers(tmp_path, collector.url, pool):
        run_id = runs.start(connections, DATASET, {})
        eventually(lambda: (run := runs.find(connections, run_id)) and run.done)
    (row,) = collector.named("loader.load", run_id=run_id, outcome="loaded")
    assert collector.ancestry(row) == COMMIT + REQUEST
    trace = [span for span in collector.spans.values() if span.trace == row.trace]
    assert {span.service for span in trace} == {"smelt-extractor", "smelt-transformer", "smelt-loader"}
    assert {span.name for span in trace} >= {
        *COMMIT, *REQUEST, "extractor.fetch", "transformer.fetch", "transformer.parse", "transformer.transform",
        "transformer.gate", "loader.fetch", "loader.fence", "loader.copy",
    }  # fmt: skip
    (plan,) = collector.named("loader.load", outcome="planned")
    assert plan.trace == row.trace
    assert not any(span.failed for span in trace)
    _check_links(collector, row)
    _check_numbers(connections, collector, row)
    assert {line["trace_id"] for line in logged(tmp_path, "loader", "silver.loaded")} == {row.trace}


def _check_links(collector: Collector, row: Seen) -> None:
    """An object's span says which message brought it, though that has a trace of its own."""
    for span in (span for span in collector.spans.values() if span.name.endswith(".object")):
        (message,) = (collector.spans[link] for link in span.links)
        assert message.name == span.name.replace("object", "message")
        assert message.trace != row.trace


def _check_numbers(connections: Connections, collector: Collector, row: Seen) -> None:
    """Metrics, the ledger and the span agree."""
    run = runs.find(connections, row.attributes["run_id"])
    assert run
    assert row.attributes["inserted"] == run.inserted > 0
    assert collector.total("smelt.records", dataset=DATASET, outcome="inserted") == run.inserted
    assert collector.total("smelt.records") == run.read
    assert collector.total("smelt.messages", service="extractor", outcome="planned") == 1
    assert collector.total("smelt.messages", service="transformer") == 1
    assert collector.total("smelt.message.duration", service="loader", outcome="loaded") == 1
    assert collector.total("smelt.latency", dataset=DATASET) == 1
    assert collector.total("smelt.api.responses", status=200) == collector.total("smelt.api.requests") > 0
    assert collector.total("smelt.api.wait") == collector.total("smelt.api.requests")
    assert collector.total("smelt.object.bytes", direction="written", layer="bronze") > 0


def test_the_trace_of_an_upload_begins_with_its_message(connections: Connections, tmp_path: Path) -> None:
    records = [*map(posting, range(1, 5)), {"MatchedObjectId": "x"}]
    with collecting() as collector, workers(tmp_path, collector.url):
        key = upload(connections, "fresh.jsonl", lines(*records))
        eventually(in_ledger(connections, key))
        eventually(lambda: logged(tmp_path, "loader", "message.settled")[1:])
    row = committed(collector, outcome="loaded")
    assert collector.ancestry(row) == [*COMMIT, "uploads.message"]
    assert (row.attributes["inserted"], row.attributes["quarantined"]) == (4, 1)
    assert committed(collector, outcome="quarantined").trace == row.trace
    assert collector.named("transformer.transform", valid=4, quarantined=1)[0].trace == row.trace


def test_a_dead_letter_has_the_trace_of_the_object_that_failed(connections: Connections, tmp_path: Path) -> None:
    with collecting() as collector, workers(tmp_path, collector.url):
        upload(connections, "broken.json", b'{"SearchResult": ', traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
        eventually(lambda: logged(tmp_path, "uploads", "message.settled"))
    letter = boto3.client("sqs").receive_message(
        QueueUrl=f"{connections.settings.uploads_queue_url}-dlq", MessageAttributeNames=["All"]
    )["Messages"][0]
    assert letter["MessageAttributes"]["trace_id"]["StringValue"] == TRACE
    assert {line["trace_id"] for line in logged(tmp_path, "uploads", "message.dead_letter")} == {TRACE}
    (failed,) = collector.named("transformer.object")
    assert failed.trace == TRACE
    for span in (failed, *collector.named("uploads.message", outcome="dead letter")):
        assert span.failed
        assert span.events == ("exception",)


def test_a_collector_that_never_answers_holds_up_neither_work_nor_stop(
    connections: Connections, tmp_path: Path, pool: str
) -> None:
    patient = {"OTEL_EXPORTER_OTLP_TIMEOUT": "600", "OTEL_BSP_SCHEDULE_DELAY": "1", "OTEL_METRIC_EXPORT_INTERVAL": "1"}
    with black_hole() as url, workers(tmp_path, url, pool, **patient):
        key = upload(connections, "unheard.jsonl", lines(posting(1), posting(2)))
        eventually(in_ledger(connections, key))
