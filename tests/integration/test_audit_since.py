"""The audit from the first hop to the last: each loss is found, repaired, and then there is none; young ones only."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from services.ops.reconcile import reconciliation
from services.ops.reconcile.reconciliation import Missing
from shared.config.topology import BRONZE, EXTRACT, SILVER, UPLOADS
from shared.datasets import registry
from shared.formats.s3_events import created_event
from shared.storage import object_keys
from tests.conftest import smelt_command
from tests.integration.letters import bury
from tests.integration.pipeline import BROKEN, DATASET, RUN, Pipeline, emptied, posting

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("short_polls")]

UPLOAD = f"uploads/{DATASET}/{{}}.json"
HOUR = timedelta(hours=1)
CLEAN = Missing((), ())


@pytest.fixture
def pipeline(backends: Mapping[str, str], database: Engine) -> Iterator[Pipeline]:
    """Nothing anywhere."""
    assert backends
    assert database
    with emptied() as made:
        yield made


def dropped_bronze_event(pipeline: Pipeline) -> None:
    pipeline.put_page(2, posting(2), BROKEN, of=2)
    pipeline.drop(BRONZE)


def dropped_silver_events(pipeline: Pipeline) -> None:
    pipeline.put_page(2, posting(2), BROKEN, of=2)
    pipeline.refined()
    pipeline.drop(SILVER)


def deleted_silver_object(pipeline: Pipeline) -> None:
    """Its event is there, and leads to nothing: the message dies, and somebody discards it."""
    page = pipeline.put_page(2, posting(2), BROKEN, of=2)
    pipeline.refined()
    version = registry.dataset(DATASET).version
    pipeline.connections.s3.delete_object(Bucket=page.bucket, Key=object_keys.silver_key(page, version, 1))
    pipeline.drop(SILVER)


def dropped_quarantine_event(pipeline: Pipeline) -> None:
    page = pipeline.put_page(2, posting(2), BROKEN, of=2)
    pipeline.refined()
    pipeline.load(object_keys.silver_key(page, registry.dataset(DATASET).version, 1))
    pipeline.drop(SILVER)


def dropped_plan_event(pipeline: Pipeline) -> None:
    pipeline.put_page(2, posting(2), BROKEN, of=2)
    pipeline.work()
    with pipeline.connections.database.begin() as connection:
        connection.execute(text("truncate ops.run"))


def page_never_fetched(pipeline: Pipeline) -> None:
    """Nothing is in bronze."""
    pipeline.drop(EXTRACT)


@pytest.mark.parametrize(
    "lose",
    [
        dropped_bronze_event,
        dropped_silver_events,
        deleted_silver_object,
        dropped_quarantine_event,
        dropped_plan_event,
        page_never_fetched,
    ],
)
def test_what_is_lost_is_found_repaired_and_then_nothing_is_missing(
    pipeline: Pipeline, lose: Callable[[Pipeline], None]
) -> None:
    pipeline.plan(pages=2, expected_records=2)
    pipeline.put_page(1, posting(1), of=2)
    pipeline.work()
    lose(pipeline)
    missing = reconciliation.find_missing(pipeline.connections)
    assert len(missing.objects) + len(missing.pages) == 1
    assert reconciliation.repair(pipeline.connections, missing) == 1
    for message in pipeline.taken(EXTRACT):  # what the extractor does with it
        assert json.loads(message.body)["page"] == 2
        pipeline.put_page(2, posting(2), BROKEN, of=2)
    pipeline.work()
    assert reconciliation.find_missing(pipeline.connections) == CLEAN
    with pipeline.connections.database.connect() as connection:
        assert connection.execute(text("select count(*) from silver.job")).scalar_one() == 2
        assert connection.execute(text("select count(*) from ops.quarantine")).scalar_one() == 1
        complete = text("select completed_at is not null from ops.run where run_id = :run_id")
        assert connection.execute(complete, {"run_id": RUN}).scalar_one()


def test_only_what_is_young_is_missing_where_asked(pipeline: Pipeline) -> None:
    pipeline.put(UPLOAD.format("old"), posting(1))
    pipeline.drop(UPLOADS)
    time.sleep(1.1)  # S3's clock is what is compared with, not a limit of this test
    young = pipeline.put(UPLOAD.format("young"), posting(2))
    everything = {stored.key for stored in reconciliation.find_missing(pipeline.connections, HOUR).objects}
    assert everything == {UPLOAD.format("old"), young.key}
    stored_at = pipeline.connections.s3.head_object(Bucket=young.bucket, Key=young.key)["LastModified"]
    age = timedelta(seconds=time.time() - stored_at.timestamp())
    assert [stored.key for stored in reconciliation.find_missing(pipeline.connections, age).objects] == [young.key]


def test_old_plans_runs_and_quarantine_are_left_out_where_asked(pipeline: Pipeline) -> None:
    pipeline.plan(pages=3, expected_records=3)
    page = pipeline.put_page(1, posting(1), BROKEN)
    pipeline.work()
    with pipeline.connections.database.begin() as connection:
        connection.execute(text("truncate ops.quarantine"))
        connection.execute(text("update ops.run set planned_at = now() - interval '2 hours'"))
        connection.execute(text("update ops.loaded_object set loaded_at = now() - interval '2 hours'"))
    version = registry.dataset(DATASET).version
    missing = reconciliation.find_missing(pipeline.connections)
    assert [stored.key for stored in missing.objects] == [object_keys.quarantine_key(page, version, 1)]
    assert [command.page for command in missing.pages] == [2, 3]
    assert reconciliation.find_missing(pipeline.connections, HOUR) == CLEAN
    with pipeline.connections.database.begin() as connection:
        connection.execute(text("truncate ops.run"))
    plans = [stored.key for stored in reconciliation.find_missing(pipeline.connections, HOUR).objects]
    assert plans == [object_keys.plan_key(DATASET, RUN)]


def test_of_many_dead_letters_none_is_taken_for_missing(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ops.dlq.dead_letters.MAX_LETTERS", 1)
    for number in range(15):
        bury(pipeline.connections, created_event(pipeline.put(UPLOAD.format(number), posting(number))))
    assert reconciliation.find_missing(pipeline.connections) == CLEAN


def test_the_command_says_what_is_missing_and_since_when_it_looks(pipeline: Pipeline) -> None:
    smelt = smelt_command(Path(pipeline.connections.settings.home))
    clean = smelt("reconcile")
    assert (clean.returncode, clean.stdout) == (0, "nothing is missing\n"), clean
    stored = pipeline.put(UPLOAD.format("a"), posting(1))
    found = smelt("reconcile", "--since", "1h")
    assert (found.returncode, found.stdout) == (1, f"not loaded: {stored.key} (version {stored.version})\n"), found
    assert smelt("reconcile", "--since", "0s").returncode == 0
    assert smelt("reconcile", "--since", "yesterday").returncode == 1
