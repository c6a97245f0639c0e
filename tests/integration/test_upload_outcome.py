"""What `smelt upload --wait` says of an upload, before, while and after the workers handle it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services.ops.connections import Connections
from services.ops.main import app
from services.ops.uploads import outcome
from services.ops.uploads.outcome import UploadOutcome
from shared.config.topology import SILVER, UPLOADS
from shared.storage import object_keys
from shared.storage.object_id import ObjectId
from tests.integration.pipeline import BROKEN, DATASET, Pipeline, emptied, posting
from tests.support.own_dataset import contract, own_dataset, own_tables, smelt

pytestmark = pytest.mark.integration

KEY = object_keys.upload_key(DATASET, "file.json")


@pytest.fixture
def pipeline(database: Engine) -> Iterator[Pipeline]:
    assert database
    with emptied() as ready:
        yield ready


def outcome_of(pipeline: Pipeline, stored: ObjectId) -> UploadOutcome:
    return outcome.outcome_of(pipeline.connections, stored)


def test_an_upload_is_under_way_until_it_is_loaded(pipeline: Pipeline) -> None:
    stored = pipeline.put(KEY, posting(1), BROKEN)
    assert outcome_of(pipeline, stored).state == "under way"
    pipeline.refined()
    assert outcome_of(pipeline, stored).state == "under way"
    pipeline.work()
    settled = outcome_of(pipeline, stored)
    assert (settled.state, settled.is_settled, settled.is_whole) == ("loaded", True, False)
    assert settled.counts == {"read": 2, "inserted": 1, "updated": 0, "unchanged": 0, "stale": 0, "quarantined": 1}
    assert sum(group.records for group in settled.rejected) == 1


def test_an_upload_is_not_settled_before_its_rejected_records_are_in_the_database(pipeline: Pipeline) -> None:
    stored = pipeline.put(KEY, posting(1), BROKEN)
    pipeline.work()
    with pipeline.connections.database.begin() as connection:
        connection.execute(text("truncate ops.quarantine"))
    assert outcome_of(pipeline, stored).state == "partly loaded"


def test_an_upload_that_the_contract_leaves_out_is_ignored(database: Engine, tmp_path: Path) -> None:
    content = contract("mine", **smelt(include=["*.csv"]))
    with own_dataset(tmp_path, content), own_tables(database), emptied() as pipeline:
        stored = pipeline.put_body(object_keys.upload_key("mine", "notes.txt"), b"id\n1\n")
        assert pipeline.work() == ["ignored"]
        settled = outcome_of(pipeline, stored)
        assert (settled.state, settled.ignored_by) == ("ignored", "not included")


def test_an_upload_whose_event_is_lost_is_missing(pipeline: Pipeline) -> None:
    stored = pipeline.put(KEY, posting(1))
    pipeline.drop(UPLOADS)
    assert outcome_of(pipeline, stored).state == "missing"


def test_a_dead_letter_of_what_was_made_of_the_upload_counts(pipeline: Pipeline) -> None:
    stored = pipeline.put(KEY, posting(1), BROKEN)
    pipeline.refined()
    dead = f"{pipeline.connections.settings.queue_url(SILVER)}-dlq"
    for message in pipeline.taken(SILVER):
        if "quarantine" in message.body:
            pipeline.connections.sqs.send_message(QueueUrl=dead, MessageBody=message.body)
    assert outcome_of(pipeline, stored).state == "dead letter"


def test_each_version_of_a_key_has_an_outcome_of_its_own(pipeline: Pipeline) -> None:
    first = pipeline.put(KEY, posting(1))
    pipeline.work()
    second = pipeline.put(KEY, posting(1), posting(2))
    pipeline.work()
    assert [outcome_of(pipeline, stored).counts["inserted"] for stored in (first, second)] == [1, 1]
    assert [outcome_of(pipeline, stored).counts["read"] for stored in (first, second)] == [1, 2]


def test_the_newest_transform_version_counts(pipeline: Pipeline) -> None:
    stored = pipeline.put(KEY, posting(1))
    pipeline.work()
    with pipeline.connections.database.begin() as connection:
        connection.execute(text("update ops.loaded_object set transform_version = transform_version + 1"))
    pipeline.connections.pending_retries._redis.flushall()
    pipeline.put(KEY, posting(1))
    pipeline.work()
    assert outcome_of(pipeline, stored).counts["read"] == 1


def test_without_versions_an_upload_that_was_overwritten_is_superseded(pipeline: Pipeline) -> None:
    stored = pipeline.put(KEY, posting(1))
    unversioned = replace(stored, version_id=None, etag="0" * 32)
    assert outcome_of(pipeline, unversioned).state == "superseded"


def test_waiting_ends_with_the_time(pipeline: Pipeline) -> None:
    stored = pipeline.put(KEY, posting(1))
    assert [step.state for step in outcome.follow(pipeline.connections, stored, timeout=0)] == ["under way"]


def test_ctrl_c_ends_the_waiting_and_says_that_the_file_is_stored(
    connections: Connections, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("files") / "good.json"
    file.write_text(json.dumps({"SearchResult": {"SearchResultItems": []}}))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(outcome, "follow", interrupted)
    result = CliRunner().invoke(app, ["upload", str(file), DATASET, "--wait"])
    assert result.exit_code == 130
    assert "the file is stored" in result.stderr
    assert connections.s3.head_object(
        Bucket=connections.settings.bucket, Key=object_keys.upload_key(DATASET, "good.json")
    )
