"""Gold on a real database: what a posting is made of, what is near, what is open, and who may read it."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from gzip import decompress
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from services.serving.gold.refresh import refresh
from tests import served
from tests.served import CHICAGO, CODES, HISTORIC, MONDAY, SEARCH, TODAY, hold, place, posting

pytestmark = pytest.mark.integration

SAINT_PAUL, TUVALU = (44.9537, -93.09), (-8.52, 179.2)


@pytest.fixture
def gold(backends: Mapping[str, str]) -> Iterator[Engine]:  # noqa: ARG001 - it is running
    engine = served.empty_gold()
    yield engine
    engine.dispose()


def rows(engine: Engine, query: str, **values: Any) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(query), values).mappings()]


def one(engine: Engine, number: int = 1) -> dict[str, Any]:
    refresh(engine, always=True)
    (row,) = rows(engine, "select * from gold.posting where control_number = :number", number=number)
    return row


def miles(here: tuple[float, float], there: tuple[float, float]) -> float:
    """The great-circle distance by the law of cosines, which gold does not use."""
    (lat_1, lon_1), (lat_2, lon_2) = ([math.radians(degrees) for degrees in point] for point in (here, there))
    cosine = math.sin(lat_1) * math.sin(lat_2) + math.cos(lat_1) * math.cos(lat_2) * math.cos(lon_1 - lon_2)
    return 3_958.7613 * math.acos(max(-1.0, min(1.0, cosine)))


def test_a_posting_of_both_sources_is_one_row_and_search_is_preferred(gold: Engine) -> None:
    hold(gold, SEARCH, [posting(1)])
    hold(gold, HISTORIC, [served.historic(1), served.historic(2)])
    first = one(gold)
    assert (first["sources"], first["title"], first["grade_low"]) == (["search", "historic"], "Data Engineer", "11")
    assert one(gold, 2)["sources"] == ["historic"]
    assert len(rows(gold, "select from gold.posting")) == 2


def test_both_sources_agree_on_the_bureau_by_its_code(gold: Engine) -> None:
    hold(gold, CODES, [served.code_list("agencysubelements", ORBS="Bureau of Smelting and Refining", OR="Ores")])
    hold(gold, SEARCH, [posting(1, details={"OrganizationCodes": "OR/ORBS"}), posting(3)])
    hold(gold, HISTORIC, [served.historic(2)])
    assert one(gold, 1)["agency"] == one(gold, 2)["agency"] == "Bureau of Smelting and Refining"
    assert one(gold, 3)["agency"] == "Bureau of Smelting"


def test_codes_have_labels_and_a_new_label_reaches_postings_built_before(gold: Engine) -> None:
    hold(gold, SEARCH, [posting(1)])
    assert one(gold)["series_names"] == ["Information Technology"]
    hold(gold, CODES, [served.code_list("occupationalseries", _2210="Information Technology Management")])
    assert one(gold)["series_names"] == ["Information Technology Management"]


def test_a_code_that_is_twice_in_its_list_does_not_double_a_posting(gold: Engine) -> None:
    twice = served.code_list("remunerationrateintervalcodes", PA="Per Year", _PA="Per Annum")
    hold(gold, CODES, [twice])
    hold(gold, SEARCH, [posting(1)])
    assert one(gold)["annual_maximum"] == 120_000


@pytest.mark.parametrize(
    ("interval", "low", "annual"), [("PA", 50_000, 50_000), ("PH", 20, 41_740), ("BW", 2_000, 52_000), ("WC", 0, None)]
)
def test_pay_is_also_given_for_a_year_of_full_time(gold: Engine, interval: str, low: float, annual: int | None) -> None:
    hold(gold, SEARCH, [posting(1, PositionRemuneration=served.pay(low, low, interval))])
    assert one(gold)["annual_minimum"] == annual


@pytest.mark.parametrize(("days", "is_open"), [(-1, False), (0, True), (3, True)])
def test_a_posting_is_open_through_its_last_day(gold: Engine, days: int, *, is_open: bool) -> None:
    hold(gold, SEARCH, [posting(1, ApplicationCloseDate=f"{TODAY + timedelta(days=days)}T23:59:59.9970")])
    row = one(gold)
    assert (row["is_open"], row["days_open"]) == (is_open, 9 + min(days, 0))


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])  # at any time one of them has another day
def test_a_day_is_utc_s_whatever_the_time_zone_of_the_session(gold: Engine, zone: str) -> None:
    last_days = [TODAY + timedelta(days=days) for days in (-1, 0, 1)]
    postings = [posting(n, ApplicationCloseDate=f"{day}T00:00:00") for n, day in enumerate(last_days, start=1)]
    hold(gold, SEARCH, postings)
    with gold.begin() as connection:
        connection.execute(text(f"set local timezone to '{zone}'"))
        connection.execute(text("select gold.build(array[1, 2, 3])"))
        found = connection.execute(text("select is_open, days_open from gold.posting order by control_number")).all()
    assert [tuple(row) for row in found] == [(False, 8), (True, 9), (True, 9)]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_the_day_on_which_a_posting_vanished_is_utc_s(gold: Engine, zone: str) -> None:
    hold(gold, SEARCH, [posting(1), posting(2)])
    with gold.begin() as connection:
        for number, hour in ((1, 1), (2, 23)):
            vanished = {"number": number, "moment": f"{TODAY - timedelta(days=2)} {hour}:00+00"}
            statement = "update silver.job_last_seen set inactive_since = :moment where control_number = :number"
            connection.execute(text(statement), vanished)
        connection.execute(text(f"set local timezone to '{zone}'"))
        connection.execute(text("select gold.build(array[1, 2])"))
        ended = connection.execute(text("select ended_on from gold.posting")).scalars().all()
    assert ended == [TODAY - timedelta(days=2)] * 2


def test_a_posting_without_a_last_day_is_open(gold: Engine) -> None:
    hold(gold, SEARCH, [posting(1, ApplicationCloseDate=None)])
    assert (one(gold)["is_open"], one(gold)["ended_on"]) == (True, None)


def test_a_cancelled_posting_is_closed_before_its_last_day(gold: Engine) -> None:
    late = f"{TODAY + timedelta(days=30)}"
    fields = {"positionOpenDate": "2026-01-01", "positionCloseDate": late, "positionOpeningStatus": "Job canceled"}
    hold(gold, HISTORIC, [served.historic(1, **fields)])
    assert (one(gold)["is_open"], one(gold)["ended_on"]) == (False, MONDAY.date())


def test_a_posting_that_a_complete_run_no_longer_brought_is_closed_until_it_is_back(gold: Engine) -> None:
    hold(gold, SEARCH, [posting(1)])
    assert one(gold)["is_open"]
    vanished = text("update silver.job_last_seen set inactive_since = now() - interval '2 days'")
    with gold.begin() as connection:
        connection.execute(vanished)
    assert (one(gold)["is_open"], one(gold)["ended_on"]) == (False, TODAY - timedelta(days=2))
    with gold.begin() as connection:
        connection.execute(text("update silver.job_last_seen set inactive_since = null"))
    assert one(gold)["is_open"]


def test_pages_of_a_complete_run_that_are_processed_again_are_refreshed(gold: Engine) -> None:
    def loaded(title: str) -> None:
        page = hold(gold, SEARCH, [posting(1, title)])
        with gold.begin() as connection:
            connection.execute(text("update ops.loaded_object set run_id = 'a' where id = :page"), {"page": page})

    run = """
        insert into ops.run (run_id, dataset, params, trigger, parts, planned_pages, expected_records, planned_at)
        values ('a', 'usajobs_search', '{}', 'test', '[]', 1, 1, now())
    """
    with gold.begin() as connection:
        connection.execute(text(run))
    refresh(gold)
    loaded("Smelter")
    assert not refresh(gold)  # the run is not complete
    with gold.begin() as connection:
        connection.execute(text("update ops.run set completed_at = now()"))
    assert refresh(gold)
    loaded("Master Smelter")  # by a newer version of the transformer
    assert refresh(gold)
    assert one(gold)["title"] == "Master Smelter"


def test_what_left_silver_leaves_gold(gold: Engine) -> None:
    hold(gold, SEARCH, [posting(1), posting(2)])
    one(gold)
    with gold.begin() as connection:
        connection.execute(text("delete from silver.job where control_number = 1"))
    refresh(gold, always=True)
    assert rows(gold, "select control_number from gold.posting_location") == [{"control_number": 2}]


def test_only_what_changed_is_built_again(gold: Engine) -> None:
    hold(gold, SEARCH, [posting(1), posting(2)])
    refresh(gold, always=True)
    hold(gold, SEARCH, [posting(2, "Chief Smelter")])
    refresh(gold, always=True)
    assert rows(gold, "select changed from gold.freshness where what = 'posting'") == [{"changed": 1}]
    assert one(gold, 2)["title"] == "Chief Smelter"


@pytest.mark.parametrize(
    ("here", "radius"), [(CHICAGO, 50), (CHICAGO, 400), (TUVALU, 100), ((89.9, 10), 200), ((0, -179.9), 700)]
)
def test_near_finds_what_a_plain_computation_finds(gold: Engine, here: tuple[float, float], radius: float) -> None:
    around = [
        CHICAGO,
        SAINT_PAUL,
        TUVALU,
        (41.5, -88.1),
        (-8.5, -179.9),
        (89.5, -170),
        (88, 10),
        (0, 179.9),
        (2, 178),
        (0, 0),
    ]
    hold(gold, SEARCH, [posting(n, PositionLocation=[place("There", *at)]) for n, at in enumerate(around, start=1)])
    refresh(gold, always=True)
    found = rows(gold, "select * from gold.postings_near(:lat, :lon, :radius)", lat=here[0], lon=here[1], radius=radius)
    wanted = {n: miles(here, at) for n, at in enumerate(around, start=1) if miles(here, at) <= radius}
    assert len(wanted) > 1
    assert {row["control_number"]: row["miles"] for row in found} == pytest.approx(wanted, rel=1e-3, abs=1e-3)


def test_the_nearest_of_many_places_counts(gold: Engine) -> None:
    places = [place("Saint Paul", *SAINT_PAUL), place("Chicago", *CHICAGO)]
    hold(gold, SEARCH, [posting(1, PositionLocation=places)])
    refresh(gold, always=True)
    found = rows(gold, "select miles from gold.postings_near(41.8781, -87.6298, 500)")
    assert found == [{"miles": pytest.approx(0, abs=1e-6)}]


def test_a_place_from_historic_is_where_search_has_it(gold: Engine) -> None:
    nowhere = [{"positionLocationCity": "Ramstein", "positionLocationCountry": "Germany"}]
    hold(gold, HISTORIC, [served.historic(1), served.historic(2, positionLocations=nowhere)])
    refresh(gold, always=True)
    assert rows(gold, "select * from gold.postings_near(41.8781, -87.6298, 5)") == []
    hold(gold, SEARCH, [posting(3)])
    refresh(gold, always=True)
    found = rows(gold, "select control_number from gold.postings_near(41.8781, -87.6298, 5) order by 1")
    assert [row["control_number"] for row in found] == [1, 3]
    assert rows(gold, "select name, postings from gold.place") == [{"name": "Chicago, Illinois", "postings": 2}]


def test_near_uses_the_index(gold: Engine) -> None:
    with gold.connect() as connection:
        connection.execute(text("set enable_seqscan = off"))
        plan = "\n".join(
            connection.execute(text("explain select * from gold.postings_near(41.8781, -87.6298, 50)")).scalars()
        )
    assert "posting_location_point_idx" in plan


def test_the_chicago_view_agrees_with_an_independent_computation(gold: Engine, real_search_page: bytes) -> None:
    """Words by regular expression where gold uses Postgres's stemmer, distances by another formula."""
    page = json.loads(decompress(real_search_page))
    items = page["response"]["payload"]["SearchResult"]["SearchResultItems"]
    hold(gold, SEARCH, items)
    refresh(gold, always=True)
    for radius in (50, 10):
        wanted = {int(i["MatchedObjectId"]): near for i in items if (near := nearest(i)) <= radius and is_data_job(i)}
        with gold.connect() as connection:
            connection.execute(text(f"set gold.chicago_miles = {radius}"))
            query = text("select control_number, miles from gold.data_jobs_chicago")
            found = {row.control_number: row.miles for row in connection.execute(query)}
        assert found == pytest.approx(wanted, rel=1e-3, abs=1e-6)
        assert wanted


def nearest(item: dict[str, Any]) -> float:
    places = item["MatchedObjectDescriptor"]["PositionLocation"]
    return min(miles(CHICAGO, (p["Latitude"], p["Longitude"])) for p in places)


def is_data_job(item: dict[str, Any]) -> bool:
    descriptor = item["MatchedObjectDescriptor"]
    details = descriptor["UserArea"]["Details"]
    words = " ".join(
        [
            descriptor["PositionTitle"],
            descriptor["OrganizationName"],
            *(category["Name"] for category in descriptor["JobCategory"]),
            details.get("JobSummary") or "",
            descriptor.get("QualificationSummary") or "",
            *(details.get("MajorDuties") or []),
        ]
    ).lower()
    words = re.sub(r"(https?://|www\.)\S+", " ", words)  # a word in an address says nothing about a job
    return all(re.search(pattern, words) for pattern in (r"\bdata\b", r"\bengin(?:e|es|eer|eers|eered|eering)\b"))


def test_aggregates_add_up(gold: Engine) -> None:
    closed = {"PublicationStartDate": "2025-01-01T00:00:00.0000", "ApplicationCloseDate": "2025-01-11T23:59:59.9970"}
    hold(gold, SEARCH, [posting(1), posting(2, **closed), posting(3, **closed)])
    refresh(gold, always=True)
    daily = rows(gold, "select day::text, opened, closed, open from gold.agency_daily order by day")
    assert daily == [
        {"day": "2025-01-01", "opened": 2, "closed": 0, "open": 2},
        {"day": "2025-01-12", "opened": 0, "closed": 2, "open": 0},
        {"day": f"{TODAY - timedelta(days=9)}", "opened": 1, "closed": 0, "open": 1},
    ]
    (pay,) = rows(gold, "select series, postings, median from gold.pay_by_series")
    assert pay == {"series": "2210", "postings": 3, "median": 100_000}
    (closing,) = rows(gold, "select opened_year, postings, median_days from gold.time_to_close")
    assert closing == {"opened_year": 2025, "postings": 2, "median_days": 10}


def test_every_column_of_gold_has_a_comment(gold: Engine) -> None:
    silent = rows(
        gold,
        """
        select relname, attname from pg_attribute join pg_class on pg_class.oid = attrelid
        where relnamespace in ('gold'::regnamespace, 'history'::regnamespace) and relkind in ('r', 'v', 'm')
          and attnum > 0 and not attisdropped and col_description(attrelid, attnum) is null
          and relname <> 'job_version_pkey'
        """,
    )
    assert silent == []


@pytest.mark.parametrize(
    "statement",
    [
        "delete from gold.posting_stored",
        "insert into gold.freshness values ('x', now(), '1 s', 0, '')",
        "create table gold.mine (n int)",
        "create temporary table mine (n int)",
        "select * from silver.raw",
        "select object_id from silver.job",
        "select * from ops.loaded_object",
        "select * from history.job_version",
        "refresh materialized view gold.place",
        "select gold.build(array[1])",
        "reset role; delete from gold.posting_stored",
        "reset default_transaction_read_only; delete from gold.posting_stored",
    ],
)
def test_a_reader_can_write_nothing_and_read_only_what_is_for_readers(gold: Engine, statement: str) -> None:
    hold(gold, SEARCH, [posting(1)])
    refresh(gold, always=True)
    engine = served.reading()
    with pytest.raises(DBAPIError, match=r"permission denied|read-only|must be owner"), engine.begin() as reader:
        reader.execute(text(statement))
    assert len(rows(engine, "select from gold.posting")) == 1
    engine.dispose()
