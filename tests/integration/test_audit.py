"""The audit finds what each hand-off may lose, and sends exactly that on its way again."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, text

from services.loader import load as loader
from services.ops.connections import Connections, connect
from services.ops.reconcile import reconciliation
from services.ops.reconcile.reconciliation import Missing
from services.transformer import worker as transformer
from services.transformer.batching import batched
from services.transformer.input_limits import InputLimits
from services.transformer.worker import Transformer
from shared.config.topology import QUEUES
from shared.datasets import registry
from shared.datasets.source import Part
from shared.engine.message import dead_letter_url
from shared.formats.run_plan import RunPlan
from shared.formats.s3_events import created_event, created_objects
from shared.storage import object_keys, objects
from shared.storage.object_id import ObjectId
from shared.storage.objects import ObjectContent

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("short_polls")]

DATASET = "usajobs_search"
RUN = "20260102T000000Z-0000000{}"
BOUNDS = InputLimits(stored=1 << 20, expanded=1 << 20, document=1 << 20, record=1 << 20, nesting=64)
VERSION = registry.dataset(DATASET).version
GOOD = {"MatchedObjectId": "1", "MatchedObjectDescriptor": {"PositionTitle": "Smelter"}}
BROKEN = {"MatchedObjectId": "x"}


@pytest.fixture
def connections(backends: Mapping[str, str], database: Engine) -> Iterator[Connections]:
    """Empty tables, an empty bucket and empty queues."""
    assert backends
    assert database
    made = connect()
    versions = made.s3.list_object_versions(Bucket=made.settings.bucket).get("Versions", [])
    for version in versions:
        made.s3.delete_object(Bucket=made.settings.bucket, Key=version["Key"], VersionId=version["VersionId"])
    _purge(made)
    yield made
    made.database.dispose()


def _purge(connections: Connections) -> None:
    settings = connections.settings
    for url in map(settings.queue_url, QUEUES):
        connections.sqs.purge_queue(QueueUrl=url)
        connections.sqs.purge_queue(QueueUrl=dead_letter_url(url))


def put(connections: Connections, key: str, body: bytes) -> ObjectId:
    bucket = connections.settings.bucket
    version = connections.s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]
    return ObjectId(bucket, key, version)


def page(connections: Connections, key: str, *records: dict[str, Any]) -> ObjectId:
    return put(connections, key, json.dumps({"SearchResult": {"SearchResultItems": records}}).encode())


def process(connections: Connections, bronze: ObjectId, *, quarantine: bool = True) -> None:
    """Everything that transformer and loader would have done."""
    Transformer(connections.s3, bronze.bucket, BOUNDS).transform_object(bronze)
    prefixes = ("silver/", "quarantine/") if quarantine else ("silver/",)
    for key in sorted(key for prefix in prefixes for key in objects.list_keys(connections.s3, bronze.bucket, prefix)):
        loader.load(connections.s3, connections.database, ObjectId(bronze.bucket, key))


def found(connections: Connections) -> set[tuple[str, str]]:
    return {(stored.key, stored.version) for stored in reconciliation.find_missing(connections).objects}


def test_what_is_loaded_is_not_missing(connections: Connections) -> None:
    process(connections, page(connections, f"uploads/{DATASET}/a.json", GOOD, BROKEN))
    assert reconciliation.find_missing(connections) == Missing((), ())


def test_an_object_whose_event_was_lost_is_found_with_its_version(connections: Connections) -> None:
    first = page(connections, f"uploads/{DATASET}/a.json", GOOD)
    second = page(connections, f"uploads/{DATASET}/a.json", GOOD, GOOD)
    assert found(connections) == {(first.key, first.version), (second.key, second.version)}
    process(connections, second, quarantine=False)
    assert found(connections) == {(first.key, first.version)}


def test_a_deleted_silver_object_is_made_again(connections: Connections) -> None:
    bronze = page(connections, f"uploads/{DATASET}/a.json", GOOD)
    Transformer(connections.s3, bronze.bucket, BOUNDS).transform_object(bronze)
    connections.s3.delete_object(Bucket=bronze.bucket, Key=object_keys.silver_key(bronze, VERSION, 1))
    assert found(connections) == {(bronze.key, bronze.version)}


def test_a_quarantine_object_that_never_arrived_is_found(connections: Connections) -> None:
    bronze = page(connections, f"uploads/{DATASET}/a.json", GOOD, BROKEN)
    process(connections, bronze, quarantine=False)
    assert {key for key, _ in found(connections)} == {object_keys.quarantine_key(bronze, VERSION, 1)}


@pytest.fixture
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two records each."""
    monkeypatch.setattr(transformer, "batched", partial(batched, max_records=2))


@pytest.mark.usefixtures("_small_batches")
@pytest.mark.parametrize("lost", [1, 2, 3])
def test_an_object_of_which_a_batch_was_dropped_is_found_and_made_whole(connections: Connections, lost: int) -> None:
    lines = [json.dumps({**GOOD, "MatchedObjectId": str(n)}) for n in range(1, 6)]
    bronze = put(connections, f"uploads/{DATASET}/a.jsonl", "\n".join(lines).encode())
    Transformer(connections.s3, bronze.bucket, BOUNDS).transform_object(bronze)
    for batch in {1, 2, 3} - {lost}:
        key = object_keys.silver_key(bronze, VERSION, batch)
        loader.load(connections.s3, connections.database, ObjectId(bronze.bucket, key))
    assert found(connections) == {(bronze.key, bronze.version)}
    process(connections, bronze)
    assert found(connections) == set()
    with connections.database.connect() as connection:
        assert connection.scalar(text("select sum(inserted) from ops.loaded_object")) == 5


@pytest.mark.usefixtures("_small_batches")
def test_the_quarantine_of_one_batch_among_several_is_found(connections: Connections) -> None:
    bronze = page(connections, f"uploads/{DATASET}/a.json", GOOD, BROKEN, BROKEN, GOOD, GOOD)
    process(connections, bronze, quarantine=False)
    both = [object_keys.quarantine_key(bronze, VERSION, batch) for batch in (1, 2)]
    assert {key for key, _ in found(connections)} == set(both)
    for key in both:
        loader.load(connections.s3, connections.database, ObjectId(bronze.bucket, key))
    assert found(connections) == set()


@pytest.mark.usefixtures("_small_batches")
def test_an_object_one_of_whose_batches_is_a_dead_letter_is_not_missing(connections: Connections) -> None:
    bronze = page(connections, f"uploads/{DATASET}/a.json", GOOD, GOOD, GOOD)
    Transformer(connections.s3, bronze.bucket, BOUNDS).transform_object(bronze)
    second = ObjectId(bronze.bucket, object_keys.silver_key(bronze, VERSION, 2))
    connections.sqs.send_message(
        QueueUrl=dead_letter_url(connections.settings.silver_queue_url), MessageBody=created_event(second)
    )
    assert found(connections) == set()


def sequential(connections: Connections, pages: int, *stored: int, of: int = 3) -> list[tuple[int, int, int]]:
    """(part, page, of) of the pages that are missing of a run whose pages come one after another."""
    run_id = RUN.format(2)
    plan = RunPlan(
        run_id=run_id,
        dataset="usajobs_historic",
        params={},
        trigger="test",
        expected_records=1,
        parts=(Part({}, 1, pages), Part({}, 1, 1)),
    )
    with connections.database.begin() as connection:
        loader.load_plan(connection, ObjectContent(plan.model_dump_json().encode(), datetime.now(UTC), {}))
    for number in stored:
        envelope = {
            "response": {"payload": {"data": []}},
            "ingest": {"run_id": run_id, "part": 1, "page": number, "of": of},
        }
        key = object_keys.page_key("usajobs_historic", run_id, 1, number)
        process(connections, put(connections, key, json.dumps(envelope).encode()))
    return [(page.part, page.page, page.of) for page in reconciliation.find_missing(connections).pages]


@pytest.mark.parametrize(
    ("pages", "stored", "of", "missing"),
    [
        pytest.param(3, (), 3, [(1, 1, 3), (2, 1, 1)], id="nothing was fetched yet"),
        pytest.param(3, (1,), 3, [(1, 2, 3), (2, 1, 1)], id="the second command was lost"),
        pytest.param(1, (1,), 2, [(1, 2, 2), (2, 1, 1)], id="the part is longer than planned"),
        pytest.param(9, (1, 2), 2, [(2, 1, 1)], id="the part is shorter than planned"),
    ],
)
def test_of_pages_that_come_one_after_another_the_first_missing_one_of_each_part_is_named(
    connections: Connections, pages: int, stored: tuple[int, ...], of: int, missing: list[tuple[int, int, int]]
) -> None:
    assert sequential(connections, pages, *stored, of=of) == missing


def test_a_plan_that_never_arrived_and_a_page_that_was_never_fetched_are_found(connections: Connections) -> None:
    plan = RunPlan(
        run_id=RUN.format(1), dataset=DATASET, params={}, trigger="test", expected_records=2, parts=(Part({}, 2, 2),)
    )
    stored = put(connections, object_keys.plan_key(DATASET, plan.run_id), plan.model_dump_json().encode())
    assert found(connections) == {(stored.key, stored.version)}
    with connections.database.begin() as connection:
        loader.load_plan(connection, ObjectContent(plan.model_dump_json().encode(), datetime.now(UTC), {}))
    envelope = {
        "request": {"params": {}},
        "response": {"status": 200, "payload": {"SearchResult": {"SearchResultCountAll": 0}}},
    }
    put(connections, object_keys.page_key(DATASET, plan.run_id, 1, 1), json.dumps(envelope).encode())
    missing = reconciliation.find_missing(connections)
    assert [stored.key for stored in missing.objects] == [object_keys.page_key(DATASET, plan.run_id, 1, 1)]
    assert [(command.run_id, command.page) for command in missing.pages] == [(plan.run_id, 2)]


def test_what_waits_as_a_dead_letter_is_not_missing(connections: Connections) -> None:
    poison = put(connections, f"uploads/{DATASET}/poison.json", b"not JSON")
    assert found(connections) == {(poison.key, poison.version)}
    connections.sqs.send_message(
        QueueUrl=dead_letter_url(connections.settings.uploads_queue_url), MessageBody=created_event(poison)
    )
    assert found(connections) == set()


def test_a_repair_sends_what_the_workers_understand(connections: Connections) -> None:
    stored = page(connections, f"uploads/{DATASET}/a b+c.json", GOOD)
    _purge(connections)
    assert reconciliation.repair(connections, reconciliation.find_missing(connections)) == 1
    messages = connections.sqs.receive_message(QueueUrl=connections.settings.uploads_queue_url).get("Messages", [])
    assert [created_objects(message["Body"]) for message in messages] == [
        [
            ObjectId(
                stored.bucket, stored.key, stored.version_id, reconciliation.find_missing(connections).objects[0].etag
            )
        ]
    ]
