"""Files of datasets for analysts: what is in them, and when they are written again."""

import pytest
from sqlalchemy import Engine, text

from services.serving.database import ApiError
from services.serving.gold import dataset_snapshots, refresher
from shared.datasets import registry
from tests.integration.pipeline import Pipeline
from tests.integration.stations import STATIONS, load

pytestmark = pytest.mark.integration


def export(database: Engine, pipeline: Pipeline) -> list[str]:
    """Keys of the files that were written."""
    before = versions(pipeline)
    is_done = dataset_snapshots.export(database, pipeline.connections.s3, pipeline.connections.settings.bucket)
    written = {key for key, version in versions(pipeline).items() if before.get(key) != version}
    assert is_done == bool(written)
    return sorted(written)


def versions(pipeline: Pipeline) -> dict[str, str]:
    s3, bucket = pipeline.connections.s3, pipeline.connections.settings.bucket
    listed = s3.list_object_versions(Bucket=bucket, Prefix="gold/").get("Versions", [])
    return {item["Key"]: item["VersionId"] for item in listed if item["IsLatest"]}


def rested(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("update gold.freshness set took = '0 s'"))


def keys(*tables: str) -> list[str]:
    return [dataset_snapshots.key(STATIONS, table) for table in tables]


def test_only_a_dataset_that_changed_is_written_again(database: Engine, stations: Pipeline) -> None:
    assert export(database, stations) == keys("station", "station_last_seen")
    rested(database)
    assert export(database, stations) == []
    load(stations, "more.csv", "station,name\nKGYY,Gary\n")
    assert export(database, stations) == keys("station", "station_last_seen")


def test_a_dataset_that_changes_all_the_time_is_written_for_a_tenth_of_the_time(
    database: Engine, stations: Pipeline
) -> None:
    export(database, stations)
    with database.begin() as connection:
        connection.execute(text("update gold.freshness set took = '1 hour'"))
    load(stations, "more.csv", "station,name\nKGYY,Gary\n")
    assert export(database, stations) == []
    with database.begin() as connection:
        connection.execute(text("update gold.freshness set refreshed_at = refreshed_at - interval '10 hours'"))
    assert export(database, stations) != []


RUN = """
    insert into ops.run (run_id, dataset, params, trigger, parts, planned_pages, expected_records, planned_at)
    values ('r', 'stations', '{}', 'test', '[]', 2, 2, now())
"""


def test_runs_without_a_pause_are_waited_for_an_hour(database: Engine, stations: Pipeline) -> None:
    assert export(database, stations) != []
    with database.begin() as connection:
        connection.execute(text(RUN))
    load(stations, "more.csv", "station,name\nKGYY,Gary\n")
    rested(database)
    assert export(database, stations) == []
    with database.begin() as connection:
        connection.execute(text("update gold.freshness set refreshed_at = refreshed_at - interval '1 hour'"))
    assert export(database, stations) != []


def test_a_run_that_is_being_loaded_is_waited_for(database: Engine, stations: Pipeline) -> None:
    with database.begin() as connection:
        connection.execute(text(RUN))
    assert export(database, stations) == []
    with database.begin() as connection:
        connection.execute(text("update ops.run set completed_at = now()"))
    assert export(database, stations) != []
    rested(database)
    assert export(database, stations) == []


def test_a_changed_contract_is_written_again(
    database: Engine, stations: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(database, stations)
    rested(database)
    monkeypatch.setitem(vars(registry.dataset(STATIONS)), "digest", "another")
    assert export(database, stations) != []


def test_one_process_exports_at_a_time(database: Engine, stations: Pipeline) -> None:
    with database.connect() as other:
        other.execute(text("select pg_advisory_lock(hashtext(:name))"), {"name": dataset_snapshots.LOCK})
        assert export(database, stations) == []
        other.rollback()
        other.execute(text("select pg_advisory_unlock_all()"))
    assert export(database, stations) != []


def test_a_dataset_that_cannot_be_exported_keeps_no_other_back(
    database: Engine, stations: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_snapshots, "changed", lambda _: ["usajobs_search", STATIONS])
    with pytest.raises(ApiError):
        export_with_missing_table(database, stations)
    assert keys("station")[0] in versions(stations)


LEDGER_ROW = """
    insert into ops.loaded_object
        (dataset, bucket, key, version, transform_version, silver_key, observed_at, read, quarantined)
    values ('usajobs_search', 'b', 'k', 'v', 1, 's', now(), 0, 0)
"""


def export_with_missing_table(database: Engine, stations: Pipeline) -> None:
    with database.begin() as connection:
        connection.execute(text(LEDGER_ROW))
        connection.execute(text("alter table silver.job rename to job_away"))
    try:
        export(database, stations)
    finally:
        with database.begin() as connection:
            connection.execute(text("alter table silver.job_away rename to job"))


def test_an_error_of_a_query_does_not_end_the_refreshing() -> None:
    """It is one of those that the loop logs, and tries again."""
    assert ApiError in refresher.ERRORS
