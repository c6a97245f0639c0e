"""What postings were before, and when gold is brought up to date, on a real database and bucket."""

import io
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import polars as pl
import pytest
from sqlalchemy import Engine, text

from services.serving.gold import snapshots
from services.serving.gold.refresh import LOCK, refresh
from tests import served
from tests.served import MONDAY, SEARCH, hold, pay, place, posting

pytestmark = pytest.mark.integration

TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)
UNDER_WAY = """
    insert into ops.run (run_id, dataset, params, trigger, parts, planned_pages, expected_records, planned_at)
    values ('r', 'd', '{}', 't', '[]', 1, 1, now())
"""


@pytest.fixture
def gold(backends: Mapping[str, str]) -> Iterator[Engine]:  # noqa: ARG001 - it is running
    engine = served.empty_gold()
    yield engine
    engine.dispose()


def rows(engine: Engine, query: str, **values: Any) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(query), values).mappings()]


def test_a_posting_that_never_changed_has_no_history(gold: Engine) -> None:
    hold(gold, SEARCH, [posting(1)])
    assert rows(gold, "select from silver.job_history") == []
    assert rows(gold, "select from history.job_version") == []


def test_history_says_what_changed_and_when_it_was_seen(gold: Engine) -> None:
    hold(gold, SEARCH, [posting(1, "Smelter")], MONDAY)
    hold(gold, SEARCH, [posting(1, "Chief Smelter")], TUESDAY)
    hold(gold, SEARCH, [posting(1, "Chief Smelter", details={"HighGrade": "15"})], WEDNESDAY)
    found = rows(gold, "select version, seen_at, replaced_at is null as current, changes from silver.job_history")
    assert found == [
        {"version": 1, "seen_at": MONDAY, "current": False, "changes": None},
        {
            "version": 2,
            "seen_at": TUESDAY,
            "current": False,
            "changes": {"position_title": ["Smelter", "Chief Smelter"]},
        },
        {"version": 3, "seen_at": WEDNESDAY, "current": True, "changes": {"high_grade": ["13", "15"]}},
    ]


def test_a_change_of_what_belongs_to_a_posting_is_kept(gold: Engine) -> None:
    hold(gold, SEARCH, [posting(1)])
    hold(gold, SEARCH, [posting(1, PositionLocation=[place("Gary, Indiana", 41.6, -87.3)])], TUESDAY)
    (change,) = rows(gold, "select changes from silver.job_history where version = 2")
    before, after = change["changes"]["job_location"]
    assert (before[0]["city_name"], after[0]["city_name"]) == ("Chicago, Illinois", "Gary, Indiana")


def test_only_a_raise_is_a_raise(gold: Engine) -> None:
    for low, high, interval in ((50, 60, "PA"), (50, 70, "PA"), (40, 70, "PA"), (20, 90, "PH")):
        hold(gold, SEARCH, [posting(1, PositionRemuneration=pay(low, high, interval))])
    found = rows(gold, "select version, maximum_before, maximum_after, minimum_before from gold.pay_raised")
    assert found == [{"version": 2, "maximum_before": 60, "maximum_after": 70, "minimum_before": None}]


def test_only_more_time_is_an_extension(gold: Engine) -> None:
    for day in ("2026-02-01", "2026-03-01", "2026-01-20"):
        hold(gold, SEARCH, [posting(1, ApplicationCloseDate=f"{day}T23:59:59.9970")])
    found = rows(gold, "select version, closed_before::text, closes_now::text from gold.deadline_extended")
    assert found == [{"version": 2, "closed_before": "2026-02-01", "closes_now": "2026-03-01"}]


def test_a_refresh_waits_for_a_reason(gold: Engine) -> None:
    hold(gold, SEARCH, [posting(1)])
    assert refresh(gold)
    assert not refresh(gold)
    hold(gold, SEARCH, [posting(2)])
    assert refresh(gold)
    assert len(rows(gold, "select from gold.posting")) == 2


def test_a_run_under_way_is_no_reason_and_a_complete_one_is(gold: Engine) -> None:
    refresh(gold)
    with gold.begin() as connection:
        connection.execute(text(UNDER_WAY))
    assert not refresh(gold)
    with gold.begin() as connection:
        connection.execute(text("update ops.run set completed_at = now()"))
    assert refresh(gold)


def test_of_many_that_refresh_at_once_one_does(gold: Engine) -> None:
    hold(gold, SEARCH, [posting(n) for n in range(1, 200)])
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: refresh(gold), range(4)))
    assert done.count(True) == 1
    assert len(rows(gold, "select from gold.posting")) == 199


def test_while_one_refreshes_another_leaves_it_to_that_one(gold: Engine) -> None:
    hold(gold, SEARCH, [posting(1)])
    with gold.connect() as other:
        other.execute(text("select pg_advisory_lock(hashtext(:name))"), {"name": LOCK})
        assert not refresh(gold)
        other.execute(text("select pg_advisory_unlock(hashtext(:name))"), {"name": LOCK})
    assert refresh(gold)


def test_a_refresh_waits_for_no_load_and_no_load_for_it(gold: Engine) -> None:
    hold(gold, SEARCH, [posting(1), posting(2)])
    with gold.connect() as loading:
        loading.execute(text("delete from silver.job where control_number = 1"))  # not committed
        assert refresh(gold, always=True)
        loading.rollback()
    with gold.connect() as refreshing:
        refreshing.execute(text("select gold.build(array[1, 2]::bigint[])"))  # not committed
        hold(gold, SEARCH, [posting(1, "Chief Smelter")], TUESDAY)
        refreshing.rollback()


def test_while_a_run_is_loaded_most_of_the_time_is_left_to_the_loaders(
    gold: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    hold(gold, SEARCH, [posting(1)])
    refresh(gold, always=True)
    assert pauses == []
    hold(gold, SEARCH, [posting(2)])
    with gold.begin() as connection:
        connection.execute(text(UNDER_WAY))
    refresh(gold, always=True)
    assert len(pauses) == 1


def test_freshness_says_when_and_how_long(gold: Engine) -> None:
    hold(gold, SEARCH, [posting(1)])
    before = datetime.now(UTC) - timedelta(minutes=1)
    refresh(gold)
    found = {row["what"]: row for row in rows(gold, "select * from gold.freshness")}
    assert {"gold", "posting", "place", "agency_daily", "pay_by_series", "time_to_close"} <= set(found)
    assert all(row["refreshed_at"] > before and row["took"] > timedelta(0) for row in found.values())


def test_gold_is_in_the_bucket_as_parquet_once_for_each_refresh(gold: Engine) -> None:
    hold(gold, SEARCH, [posting(1), posting(2, "Chief Smelter")])
    s3, bucket = boto3.client("s3"), os.environ["SMELT_BUCKET"]
    refresh(gold)
    assert snapshots.export(gold, s3, bucket)
    assert not snapshots.export(gold, s3, bucket)
    today = datetime.now(UTC).date()
    assert snapshots.key("posting", today) == f"gold/posting/date={today}/posting.parquet"
    for view in snapshots.VIEWS:
        body = s3.get_object(Bucket=bucket, Key=snapshots.key(view, today))["Body"].read()
        frame = pl.read_parquet(io.BytesIO(body))
        assert len(frame) == rows(gold, f"select count(*) as n from gold.{view}")[0]["n"], view  # noqa: S608
    posted = pl.read_parquet(
        io.BytesIO(s3.get_object(Bucket=bucket, Key=snapshots.key("posting", today))["Body"].read())
    )
    assert sorted(posted["title"]) == ["Chief Smelter", "Data Engineer"]
    assert posted.schema["annual_maximum"] == pl.Decimal(14, 2)
    assert posted.schema["series"] == pl.List(pl.String)
