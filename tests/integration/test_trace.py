"""From a row back to the request that brought it, and from an object to what became of it."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from services.ops.lineage import objects as fates
from services.ops.lineage import rows as tracing
from services.ops.lineage.objects import ObjectStatus
from services.ops.lineage.rows import RowLineage
from services.ops.quarantine import entries
from services.ops.quarantine.entries import QuarantineFilter
from shared.config.topology import SILVER, UPLOADS
from shared.datasets import registry
from shared.errors import PermanentError
from shared.formats.s3_events import created_event
from shared.storage import object_keys
from shared.storage.object_id import ObjectId
from shared.version import VERSION as RELEASE
from tests.conftest import smelt_command
from tests.integration.letters import bury
from tests.integration.pipeline import BROKEN, DATASET, RUN, URL, Pipeline, emptied, posting

pytestmark = pytest.mark.integration

UPLOAD = f"uploads/{DATASET}/a.json"
VERSION = registry.dataset(DATASET).version
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def pipeline(backends: Mapping[str, str], database: Engine) -> Iterator[Pipeline]:
    """Nothing anywhere."""
    assert backends
    assert database
    with emptied() as made:
        yield made


def traced(pipeline: Pipeline, key: str, *datasets: str) -> list[RowLineage]:
    return tracing.row_lineage(pipeline.connections, key, datasets or registry.names())


def fate(pipeline: Pipeline, key: str) -> ObjectStatus:
    found = fates.object_status(pipeline.connections, key)
    assert found
    return found


def state(pipeline: Pipeline, key: str) -> list[str]:
    return [version.state for version in fate(pipeline, key).versions]


def test_a_row_is_traced_to_the_request_that_brought_it(pipeline: Pipeline) -> None:
    bronze = pipeline.put_page(2, posting(1), posting(2))
    pipeline.work()
    (found,) = traced(pipeline, "1")
    assert (found.dataset, found.natural_key, found.table) == (DATASET, "1", "silver.job")
    assert found.entry
    assert (found.entry["key"], found.entry["version"], found.entry["page"]) == (bronze.key, bronze.version, 2)
    assert found.entry["inserted"] == 2
    assert found.silver
    assert found.bronze
    assert found.bronze.head
    assert (found.bronze.kind, found.bronze.head.trace_id) == ("page", TRACE_ID)
    assert found.bronze.request == {"url": URL, "params": {"Keyword": "smelter", "Page": "2"}}
    assert found.bronze.response == {
        "status": 200,
        "date": "Mon, 05 Jan 2026 12:00:00 GMT",
        "received_at": "2026-01-05T12:00:01+00:00",
    }
    assert found.last_seen
    assert found.last_seen["first_seen_at"] == datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_a_row_that_was_seen_again_unchanged_names_both_objects(pipeline: Pipeline) -> None:
    page = pipeline.put_page(1, posting(1))
    pipeline.work()
    upload = pipeline.put(UPLOAD, posting(1))
    pipeline.work()
    (found,) = traced(pipeline, " 1 ")
    assert found.entry
    assert found.last_seen_entry
    assert (found.entry["key"], found.last_seen_entry["key"]) == (page.key, upload.key)


def test_an_upload_has_no_request(pipeline: Pipeline) -> None:
    pipeline.put(UPLOAD, posting(1))
    pipeline.work()
    (found,) = traced(pipeline, "1")
    assert found.bronze
    assert (found.bronze.kind, found.bronze.request) == ("upload", None)


def test_an_overwritten_object_is_traced_by_its_version(pipeline: Pipeline) -> None:
    first = pipeline.put_page(1, posting(1))
    pipeline.work()
    pipeline.put_page(1, posting(2), date="Tue, 06 Jan 2026 12:00:00 GMT")
    pipeline.work()
    (found,) = traced(pipeline, "1")
    assert found.entry
    assert found.entry["version"] == first.version
    assert found.bronze
    assert found.bronze.response
    assert found.bronze.response["date"] == "Mon, 05 Jan 2026 12:00:00 GMT"


def test_objects_that_are_gone_are_said_to_be(pipeline: Pipeline) -> None:
    bronze = pipeline.put(UPLOAD, posting(1))
    pipeline.work()
    s3 = pipeline.connections.s3
    s3.delete_object(Bucket=bronze.bucket, Key=bronze.key, VersionId=bronze.version)
    s3.delete_object(Bucket=bronze.bucket, Key=object_keys.silver_key(bronze, VERSION, 1))
    (found,) = traced(pipeline, "1")
    assert (found.silver, found.made_by) == (None, None)
    assert found.bronze
    assert found.bronze.kind == "gone"
    assert [(version.state, version.stored_at) for version in fate(pipeline, UPLOAD).versions] == [("loaded", None)]


def test_a_record_that_was_only_rejected_is_found(pipeline: Pipeline) -> None:
    pipeline.put(UPLOAD, BROKEN)
    pipeline.work()
    (found,) = traced(pipeline, "77")
    assert (found.entry, found.last_seen, found.bronze) == (None, None, None)
    assert [entry["key"] for entry in found.quarantine] == [UPLOAD]


def test_a_replayed_record_names_the_object_that_it_was_seen_in(pipeline: Pipeline, database: Engine) -> None:
    pipeline.put(UPLOAD, BROKEN)
    pipeline.work()
    fixed = json.dumps(posting(77))
    with database.begin() as connection:
        connection.execute(text("update ops.quarantine set raw = :raw"), {"raw": fixed})
    entries.replay(pipeline.connections, [1], QuarantineFilter())
    pipeline.work()
    (found,) = traced(pipeline, "77")
    assert found.bronze
    assert found.bronze.replayed
    assert (found.bronze.kind, found.bronze.replayed["key"]) == ("replay", UPLOAD)
    assert [entry["closed_as"] for entry in found.quarantine] == ["replayed"]


@pytest.mark.parametrize("key", ["smelters,12", "smelters\t12", "smelters, 12"])
def test_a_key_of_several_columns_has_commas_or_tabs_between_its_parts(pipeline: Pipeline, key: str) -> None:
    body = b"list,code,label\nsmelters,12,Head smelter\n"
    pipeline.put_body("uploads/reference_table/list.csv", body)
    pipeline.work()
    (found,) = traced(pipeline, key)
    assert (found.dataset, found.natural_key) == ("reference_table", "smelters\t12")


def test_a_key_that_several_datasets_know_is_shown_for_each(pipeline: Pipeline) -> None:
    pipeline.put(UPLOAD, posting(1))
    historic = {"usajobsControlNumber": 1, "positionTitle": "Smelter"}
    pipeline.put_body("uploads/usajobs_historic/a.json", json.dumps({"data": [historic]}).encode())
    pipeline.work()
    assert [found.dataset for found in traced(pipeline, "1")] == ["usajobs_historic", DATASET]
    assert [found.dataset for found in traced(pipeline, "1", DATASET)] == [DATASET]


@pytest.mark.parametrize("key", ["2", "99999999999999999999", "smelter", "1,2,3"])
def test_a_key_that_nobody_knows_is_found_nowhere(pipeline: Pipeline, key: str) -> None:
    pipeline.put(UPLOAD, posting(1))
    pipeline.work()
    assert traced(pipeline, key) == []


def test_an_object_is_loaded_with_all_that_was_made_of_it(pipeline: Pipeline) -> None:
    pipeline.plan(pages=1, expected_records=2)
    bronze = pipeline.put_page(1, posting(1), BROKEN)
    pipeline.work()
    assert state(pipeline, bronze.key) == ["loaded"]
    assert fate(pipeline, bronze.key).rejected == 1
    for made in (object_keys.silver_key(bronze, VERSION, 1), object_keys.quarantine_key(bronze, VERSION, 1)):
        assert state(pipeline, made) == ["loaded"]
        assert fate(pipeline, made).bronze_key == bronze.key
    plan = fate(pipeline, object_keys.plan_key(DATASET, RUN))
    assert [(version.state, version.entries[0]["run_id"]) for version in plan.versions] == [("loaded", RUN)]


def test_each_version_of_an_object_has_a_fate_of_its_own(pipeline: Pipeline) -> None:
    pipeline.put(UPLOAD, posting(1))
    pipeline.work()
    pipeline.put(UPLOAD, posting(2))
    assert state(pipeline, UPLOAD) == ["loaded", "under way"]
    pipeline.drop(UPLOADS)
    assert state(pipeline, UPLOAD) == ["loaded", "missing"]


def test_a_lost_event_at_any_hop_is_missing(pipeline: Pipeline) -> None:
    pipeline.plan(pages=1, expected_records=1)
    bronze = pipeline.put_page(1, posting(1), BROKEN)
    assert pipeline.refined() == ["refined"]
    pipeline.drop(SILVER)
    made = (object_keys.silver_key(bronze, VERSION, 1), object_keys.quarantine_key(bronze, VERSION, 1))
    for key in (bronze.key, *made, object_keys.plan_key(DATASET, RUN)):
        assert state(pipeline, key) == ["missing"], key


def test_what_is_a_dead_letter_is_not_missing(pipeline: Pipeline) -> None:
    bronze = pipeline.put(UPLOAD, posting(1))
    other = pipeline.put(f"{UPLOAD}.b", posting(2))
    silver = ObjectId(bronze.bucket, object_keys.silver_key(other, VERSION, 1))
    pipeline.drop(UPLOADS)
    bury(pipeline.connections, created_event(bronze))
    bury(pipeline.connections, created_event(silver), SILVER)
    assert state(pipeline, bronze.key) == state(pipeline, other.key) == ["dead letter"]


def test_nothing_is_told_of_what_is_not_there(pipeline: Pipeline) -> None:
    pipeline.put(UPLOAD, posting(1))
    assert fates.object_status(pipeline.connections, UPLOAD[:-1]) is None
    with pytest.raises(PermanentError, match="no service processes such objects"):
        fates.object_status(pipeline.connections, "discarded/a")


def test_the_command_tells_the_story_or_says_that_it_knows_none(pipeline: Pipeline) -> None:
    pipeline.put_page(1, posting(1), BROKEN)
    pipeline.work()
    smelt = smelt_command(Path(pipeline.connections.settings.home))
    told = smelt("lineage", "1")
    assert told.returncode == 0, told
    page = (f"{URL}?Keyword=smelter&Page=1", TRACE_ID, "200, date Mon", f"{RUN}, part 1, page 1")
    for word in (*page, "silver.job", f"by smelt {RELEASE}"):
        assert word in told.stdout
    assert json.loads(smelt("lineage", "1", "--json").stdout)["rows"][0]["bronze"]["kind"] == "page"
    unknown = smelt("lineage", "2")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("smelt: 2: no row with this key in ")
    key = object_keys.page_key(DATASET, RUN, 1, 1)
    story = smelt("lineage", f"s3://{pipeline.connections.settings.bucket}/{key}")
    assert (story.returncode, "loaded" in story.stdout, "1 record: " in story.stdout) == (0, True, True), story
    assert json.loads(smelt("lineage", key, "--json").stdout)["versions"][0]["state"] == "loaded"
    assert smelt("lineage", f"{key}x").returncode == 1
    assert smelt("lineage", "s3://another/bronze/x").returncode == 1
