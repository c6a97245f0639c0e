"""Objects sent on their way once more: nothing changes but what a higher version of the transform changes."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from services.ops.reconcile import reconciliation, reprocess
from services.ops.reconcile.reprocess import LAYERS, ObjectFilter, SelectedObject
from shared.config.topology import BRONZE, SILVER, UPLOADS, UPLOADS_PREFIX
from shared.datasets import registry
from shared.formats.s3_events import IN_FULL, created_objects
from shared.storage import versions
from tests.conftest import smelt_command
from tests.integration.letters import waiting
from tests.integration.pipeline import BROKEN, DATASET, RUN, Pipeline, emptied, posting

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("short_polls")]

UPLOAD = f"uploads/{DATASET}/a.json"
SECOND = datetime(2026, 1, 5, 12, tzinfo=UTC)
EVERYTHING = ObjectFilter(DATASET)

SEARCH = registry.dataset("usajobs_search")


@pytest.fixture
def pipeline(backends: Mapping[str, str], database: Engine) -> Iterator[Pipeline]:
    """Nothing anywhere."""
    assert backends
    assert database
    with emptied() as made:
        yield made


def found(pipeline: Pipeline, wanted: ObjectFilter = EVERYTHING) -> list[SelectedObject]:
    return reprocess.find(pipeline.connections, wanted, datetime.now(UTC))


def again(pipeline: Pipeline, wanted: ObjectFilter = EVERYTHING, **options: Any) -> int:
    """Reprocess; how many events were sent."""
    return reprocess.send(pipeline.connections, found(pipeline, wanted), wanted, **options).done


def filled(pipeline: Pipeline) -> None:
    """A complete run, an upload with a rejected record, and a newer version of it."""
    pipeline.plan(pages=2, expected_records=3)
    pipeline.put_page(1, posting(1), posting(2), of=2)
    pipeline.put_page(2, posting(3), of=2)
    pipeline.put(UPLOAD, posting(1, "Founder"), posting(4), BROKEN)
    pipeline.work()
    pipeline.put(UPLOAD, posting(1, "Caster"), posting(5))
    pipeline.work()


def records(pipeline: Pipeline, query: str) -> list[tuple[Any, ...]]:
    with pipeline.connections.database.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


@pytest.mark.parametrize("layer", LAYERS)
def test_twice_leaves_every_row_as_it_is(pipeline: Pipeline, layer: str) -> None:
    filled(pipeline)
    before = pipeline.digest()
    wanted = ObjectFilter(DATASET, layer)
    for _ in range(2):
        assert again(pipeline, wanted) == 4
        outcomes = pipeline.work()
        assert set(outcomes) <= {"duplicate", "refined", "quarantined"}
        assert outcomes.count("duplicate") == 4
        assert pipeline.digest() == before
    assert records(pipeline, "select count(*) from ops.loaded_object") == [(4,)]


def test_a_higher_version_of_the_transform_writes_rows_anew_and_twice_changes_nothing_more(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(pipeline)
    ours = ("object_id", "transform_version", "content_hash")
    before, seen = (
        pipeline.digest(left_out=ours),
        "select control_number, observed_at, sequencer from silver.job_last_seen",
    )
    observed = sorted(records(pipeline, seen))
    monkeypatch.setitem(vars(SEARCH), "version", SEARCH.version + 1)
    assert not any(one.loaded for one in found(pipeline))
    again(pipeline)
    pipeline.work()
    after = pipeline.digest()
    assert pipeline.digest(left_out=ours) == before
    assert sorted(records(pipeline, seen)) == observed
    assert records(pipeline, "select distinct transform_version from silver.job_last_seen") == [(SEARCH.version,)]
    assert all(one.loaded for one in found(pipeline))
    again(pipeline)
    pipeline.work()
    assert pipeline.digest() == after


def test_what_the_ledger_has_lost_is_loaded_from_silver(pipeline: Pipeline, database: Engine) -> None:
    filled(pipeline)
    ours = ("object_id",)
    before = pipeline.digest(left_out=ours)
    with database.begin() as connection:
        connection.execute(text("truncate ops.loaded_object, silver.job, silver.job_last_seen cascade"))
    assert again(pipeline, ObjectFilter(DATASET, reprocess.SILVER)) == 4
    pipeline.work()
    assert pipeline.digest(left_out=ours) == before


def test_while_a_run_goes_on_nothing_is_lost_or_counted_twice(pipeline: Pipeline) -> None:
    filled_once = threading.Event()

    def work() -> None:
        while not filled_once.is_set():
            pipeline.work()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        pipeline.plan(pages=3, expected_records=60)
        for page in range(1, 4):
            pipeline.put_page(page, *(posting(20 * page + number) for number in range(20)))
            again(pipeline)
    finally:
        filled_once.set()
        for worker in workers:
            worker.join()
    pipeline.work()
    assert records(pipeline, "select count(*), count(distinct control_number) from silver.job") == [(60, 60)]
    assert records(pipeline, "select sum(inserted), sum(read) from ops.loaded_object") == [(60, 60)]
    assert records(pipeline, f"select distinct_records from ops.run where run_id = '{RUN}'") == [(60,)]  # noqa: S608 - ours


def test_interrupted_it_is_on_record_and_once_more_does_the_rest(pipeline: Pipeline) -> None:
    filled(pipeline)
    before = pipeline.digest()
    calls = iter((None, KeyboardInterrupt))

    def interrupt(_: int) -> None:
        if error := next(calls):
            raise error

    with pytest.raises(KeyboardInterrupt):
        again(pipeline, on_done=interrupt)
    assert records(pipeline, "select kind, matched, processed, outcome from ops.operator_action") == [
        ("reprocess", 4, 2, "interrupted")
    ]
    assert again(pipeline) == 4
    pipeline.work()
    assert pipeline.digest() == before


def test_from_bronze_everything_is_asked_for_in_full_and_with_what_orders_it(pipeline: Pipeline) -> None:
    first, second = (pipeline.put(UPLOAD, posting(1, title)) for title in ("Founder", "Caster"))
    pipeline.drop(UPLOADS)
    again(pipeline, rate=1_000.0)
    messages = waiting(pipeline.connections, UPLOADS)
    assert [message[IN_FULL] for message in messages] == ["1", "1"]
    sent = [stored for message in messages for stored in created_objects(message["body"])]
    assert {(stored.version, stored.sequencer) for stored in sent} == {
        (first.version, None),
        (second.version, "1".rjust(32, "0")),
    }


@pytest.mark.parametrize("upside_down", [False, True])
def test_two_versions_of_the_same_second_end_as_the_newer_whatever_was_lost(
    pipeline: Pipeline, *, upside_down: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event of the second version is lost; that of the first, with S3's sequencer, is not."""
    monkeypatch.setattr("services.transformer.provenance.observed_at", lambda *_: SECOND)
    pipeline.put(UPLOAD, posting(1, "Founder"))
    pipeline.work()
    pipeline.put(UPLOAD, posting(1, "Caster"))
    pipeline.drop(UPLOADS)
    missing = reconciliation.find_missing(pipeline.connections)
    assert len(missing.objects) == 1
    reconciliation.repair(pipeline.connections, missing)
    pipeline.work()
    assert records(pipeline, "select position_title from silver.job") == [("Caster",)]
    monkeypatch.setitem(vars(SEARCH), "version", SEARCH.version + 1)
    order = sorted(found(pipeline), key=lambda one: one.stored.stored_at, reverse=upside_down)
    reprocess.send(pipeline.connections, order, EVERYTHING)
    pipeline.work()
    assert records(pipeline, "select position_title from silver.job") == [("Caster",)]


def test_an_object_that_comes_later_is_above_what_was_made_up(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.transformer.provenance.observed_at", lambda *_: SECOND)
    for title in ("Founder", "Caster"):
        pipeline.put(UPLOAD, posting(1, title))
    pipeline.drop(UPLOADS)
    reconciliation.repair(pipeline.connections, reconciliation.find_missing(pipeline.connections))
    pipeline.work()
    pipeline.put(UPLOAD, posting(1, "Moulder"))
    pipeline.work()
    assert records(pipeline, "select position_title from silver.job") == [("Moulder",)]


def test_versions_of_a_key_are_together_and_the_oldest_first(pipeline: Pipeline) -> None:
    put = [pipeline.put(key, posting(1)) for key in (UPLOAD, f"{UPLOAD}.b", UPLOAD) for _ in range(2)]
    s3, bucket = pipeline.connections.s3, pipeline.connections.settings.bucket
    listed = [one.object.version for together in versions.list_versions(s3, bucket, UPLOADS_PREFIX) for one in together]
    assert listed == [stored.version for stored in (*put[:2], *put[4:], *put[2:4])]


def test_the_oldest_is_sent_first_whatever_its_key(pipeline: Pipeline) -> None:
    put = [pipeline.put(f"uploads/{DATASET}/{name}.json", posting(1)) for name in "cabac"]
    assert [one.stored.object.version for one in found(pipeline)] == [stored.version for stored in put]


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        (EVERYTHING, 4),
        (ObjectFilter(DATASET, key=f"uploads/{DATASET}/"), 2),
        (ObjectFilter(DATASET, key=UPLOAD), 2),
        (ObjectFilter(DATASET, key="date="), 2),
        (ObjectFilter(DATASET, since=3_600.0), 4),
        (ObjectFilter(DATASET, until=3_600.0), 0),
        (ObjectFilter(DATASET, since=0.0), 0),
        (ObjectFilter("reference_table"), 0),
    ],
)
def test_only_what_is_meant_is_found(pipeline: Pipeline, wanted: ObjectFilter, number: int) -> None:
    filled(pipeline)
    assert len(found(pipeline, wanted)) == number


def test_the_command_says_what_it_would_do_and_does_it_once_it_may(pipeline: Pipeline) -> None:
    filled(pipeline)
    smelt = smelt_command(Path(pipeline.connections.settings.home))
    asked = ("reprocess", "--dataset", DATASET, "--key", f"uploads/{DATASET}/")
    dry = smelt(*asked, "--dry-run")
    assert (dry.returncode, "nothing changes: 2" in dry.stdout) == (0, True), dry
    assert smelt(*asked).returncode == 2
    assert waiting(pipeline.connections, UPLOADS) == []
    done = smelt(*asked, "--rate", "50/s", "--yes", "--json")
    assert done.returncode == 0, done
    told = json.loads(done.stdout)
    assert (told["found"], told["loaded_by_this_version"], told["sent"]) == (2, 2, 2)
    assert len(waiting(pipeline.connections, UPLOADS)) == 2
    asked_for = records(pipeline, "select filter from ops.operator_action")[0][0]
    assert asked_for == {"dataset": DATASET, "layer": "bronze", "key": f"uploads/{DATASET}/", "rate": 50.0}
    wrong = smelt(*asked, "--from", "gold")
    assert (wrong.returncode, wrong.stderr) == (1, "smelt: --from takes bronze or silver, not 'gold'\n")
    assert waiting(pipeline.connections, SILVER) == []


def test_the_command_that_is_stopped_says_how_far_it_came(pipeline: Pipeline) -> None:
    filled(pipeline)
    smelt = [str(Path(sys.executable).parent / "smelt"), "reprocess", "--dataset", DATASET, "--rate", "0.1/s", "--yes"]
    with subprocess.Popen(smelt, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as started:
        while not waiting(pipeline.connections, BRONZE):
            assert started.poll() is None
        started.terminate()
        _, told = started.communicate()
    assert (started.returncode, told) == (
        130,
        "smelt: interrupted: 1 of 4 sent, the others were not sent; sending again is safe\n",
    )
    assert records(pipeline, "select matched, processed, outcome from ops.operator_action") == [(4, 1, "interrupted")]
