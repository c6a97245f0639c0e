"""The loader on a real database: once, in order of observation, all or nothing, and several at a time."""

import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson
import psycopg2
import pytest
from alembic import command
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from services.loader import load as loading
from services.transformer.input_limits import InputLimits
from services.transformer.transform import transform
from shared.database import migrate
from shared.datasets import registry
from shared.datasets.source import Part
from shared.formats import quarantine, run_plan, silver
from shared.formats.quarantine import Problem, Rejected
from shared.formats.run_plan import RunPlan
from shared.formats.silver import Counts, SilverHeader
from shared.storage.object_id import ObjectId
from shared.storage.objects import ObjectContent

pytestmark = pytest.mark.integration

DATASET = "usajobs_search"
BOUNDS = InputLimits(stored=1 << 20, expanded=1 << 20, document=1 << 20, record=1 << 20, nesting=64)
RUN = "20260101T000000Z-0123abcd"
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)


def posting(number: int, title: str = "Smelter", places: int = 2) -> dict[str, Any]:
    return {
        "MatchedObjectId": str(number),
        "MatchedObjectDescriptor": {
            "PositionTitle": title,
            "PositionLocation": [{"LocationName": f"Place {n}"} for n in range(places)],
            "JobCategory": [{"Code": "2210", "Name": "Information Technology"}],
        },
    }


def silver_object(
    postings: list[dict[str, Any]],
    observed_at: datetime = MONDAY,
    *,
    key: str = f"uploads/{DATASET}/page.json",
    sequencer: str = "0A",
    page: int | None = None,
    **header: Any,
) -> ObjectContent:
    """The silver object of these postings; `header` replaces fields of its header."""
    made = transform(DATASET, [orjson.dumps(posting) for posting in postings], 0, BOUNDS)
    fields = {
        "dataset": DATASET,
        "transform_version": 1,
        "source": ObjectId("bucket", key, version_id=f"{observed_at}{sequencer}", sequencer=sequencer),
        "observed_at": observed_at,
        "run_id": RUN if page else None,
        "part": 1 if page else None,
        "page": page,
        "counts": Counts(read=len(postings), valid=len(made.frame), quarantined=len(made.problems)),
        "warnings": made.warnings,
        "field_profile": made.field_profile,
    }
    return ObjectContent(silver.write(made.frame, SilverHeader(**fields | header)), observed_at, {})


def plan(pages: int, expected_records: int, run_id: str = RUN, **params: str) -> ObjectContent:
    made = RunPlan(
        run_id=run_id,
        dataset=DATASET,
        params=params,
        trigger="test",
        expected_records=expected_records,
        parts=(Part({}, expected_records, pages),),
    )
    return ObjectContent(made.model_dump_json().encode(), MONDAY, {})


def load(database: Engine, content: ObjectContent) -> str:
    with database.begin() as connection:
        return loading.load_silver(connection, content).outcome


def load_plan(database: Engine, content: ObjectContent) -> str:
    with database.begin() as connection:
        return loading.load_plan(connection, content).outcome


def counts(database: Engine) -> list[tuple[int, ...]]:
    """(read, inserted, updated, unchanged, stale) of each object, in the order of loading."""
    with database.connect() as connection:
        rows = connection.execute(
            text("select read, inserted, updated, unchanged, stale from ops.loaded_object order by id")
        ).all()
    return [tuple(row) for row in rows]


def titles(database: Engine) -> dict[int, str]:
    with database.connect() as connection:
        rows = connection.execute(text("select control_number, position_title from silver.job"))
        return {row.control_number: row.position_title for row in rows}


def digest(database: Engine) -> str:
    """Of all content, whichever object it came through."""
    tables = registry.dataset(DATASET).tables
    content = []
    with database.connect() as connection:
        for table in (tables.root, *tables.children, tables.last_seen):
            columns = [c for c in table.columns if c.name not in {"object_id", "first_seen_at"}]
            rows = connection.execute(table.select().with_only_columns(*columns)).all()
            content.append(sorted(map(repr, rows)))
    return sha256(repr(content).encode()).hexdigest()


def test_new_postings_are_inserted_with_their_children(database: Engine) -> None:
    assert load(database, silver_object([posting(1), posting(2, places=3)])) == "loaded"
    assert counts(database) == [(2, 2, 0, 0, 0)]
    with database.connect() as connection:
        assert connection.scalar(text("select count(*) from silver.job_location")) == 5


def test_the_same_object_again_is_a_duplicate_and_changes_nothing(database: Engine) -> None:
    content = silver_object([posting(1)])
    load(database, content)
    before = digest(database)
    assert load(database, content) == "duplicate"
    assert counts(database) == [(1, 1, 0, 0, 0)]
    assert digest(database) == before


def test_an_unchanged_posting_touches_only_the_narrow_table(database: Engine) -> None:
    load(database, silver_object([posting(1)]))
    with database.connect() as connection:
        before = connection.execute(text("select ctid, xmin, object_id from silver.job")).all()
    load(database, silver_object([posting(1)], TUESDAY))
    assert counts(database)[1] == (1, 0, 0, 1, 0)
    with database.connect() as connection:
        assert connection.execute(text("select ctid, xmin, object_id from silver.job")).all() == before
        seen = connection.execute(text("select observed_at, first_seen_at, object_id from silver.job_last_seen")).one()
    assert tuple(seen) == (TUESDAY, MONDAY, 2)


def test_a_changed_posting_is_replaced_whole(database: Engine) -> None:
    load(database, silver_object([posting(1, places=5), posting(2)]))
    load(database, silver_object([posting(1, "Caster", places=1), posting(2)], TUESDAY))
    assert counts(database)[1] == (2, 0, 1, 1, 0)
    assert titles(database) == {1: "Caster", 2: "Smelter"}
    with database.connect() as connection:
        places = text("select count(*) from silver.job_location where control_number = 1")
        assert connection.scalar(places) == 1
        assert connection.scalar(text("select object_id from silver.job where control_number = 1")) == 2


def test_a_late_old_page_does_not_reopen_a_newer_posting(database: Engine) -> None:
    load(database, silver_object([posting(1, "new")], TUESDAY))
    load(database, silver_object([posting(1, "old")], MONDAY))
    assert counts(database)[1] == (1, 0, 0, 0, 1)
    assert titles(database) == {1: "new"}


def test_a_sighting_without_a_change_fences_too(database: Engine) -> None:
    load(database, silver_object([posting(1, "same")], MONDAY))
    load(database, silver_object([posting(1, "same")], WEDNESDAY))
    load(database, silver_object([posting(1, "between")], TUESDAY))
    assert titles(database) == {1: "same"}


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_any_order_of_arrival_gives_the_same_tables(database: Engine, order: tuple[int, ...]) -> None:
    contents = [
        silver_object([posting(1, "first"), posting(2)], MONDAY, sequencer="0A"),
        silver_object([posting(1, "second")], MONDAY, sequencer="0A1"),
        silver_object([posting(1, "other key"), posting(3)], MONDAY, key=f"uploads/{DATASET}/other.json"),
        silver_object([posting(1, "fourth", places=0), posting(2, "two")], TUESDAY),
    ]
    for n in order:
        load(database, contents[n])
    assert titles(database) == {1: "fourth", 2: "two", 3: "Smelter"}
    first_three = [n for n in order if n != 3]
    with database.begin() as connection:
        connection.execute(text("truncate silver.job, silver.job_last_seen, ops.loaded_object cascade"))
    for n in first_three:
        load(database, contents[n])
    settled = titles(database)[1]
    assert settled == _settled_in_order(database, contents)


def _settled_in_order(database: Engine, contents: list[ObjectContent]) -> str:
    with database.begin() as connection:
        connection.execute(text("truncate silver.job, silver.job_last_seen, ops.loaded_object cascade"))
    for content in contents[:3]:
        load(database, content)
    return titles(database)[1]


def test_a_posting_twice_on_one_page_counts_once_and_adds_up(database: Engine) -> None:
    load(database, silver_object([posting(1, "first"), posting(2), posting(1, "last")]))
    assert counts(database) == [(3, 2, 0, 0, 1)]
    assert titles(database)[1] == "last"


def test_an_empty_page_is_in_the_ledger(database: Engine) -> None:
    assert load(database, silver_object([])) == "loaded"
    assert counts(database) == [(0, 0, 0, 0, 0)]


def test_text_that_could_break_out_of_a_copy_arrives_as_it_is(database: Engine) -> None:
    nasty = '\\. "quoted", \\N \t tab\nline\r\n{brace} \\\\ \N{GRINNING FACE} \x7f'
    record = posting(1, nasty)
    record["MatchedObjectDescriptor"]["ApplyURI"] = [nasty.strip(), 'a"b\\', "{x,y}", "NULL"]
    load(database, silver_object([record]))
    with database.connect() as connection:
        row = connection.execute(text("select position_title, apply_uri from silver.job")).one()
    assert row.position_title == nasty
    assert row.apply_uri == [nasty, 'a"b\\', "{x,y}", "NULL"]


def test_a_failure_half_way_leaves_nothing_behind(database: Engine) -> None:
    broken = silver_object([posting(1), posting(2)])
    with database.begin() as connection:
        connection.execute(text("alter table silver.job_grade rename to job_grade_away"))
    try:
        record = posting(1)
        record["MatchedObjectDescriptor"]["JobGrade"] = [{"Code": "GS"}]
        broken = silver_object([record])
        with pytest.raises(psycopg2.errors.UndefinedTable):
            load(database, broken)
    finally:
        with database.begin() as connection:
            connection.execute(text("alter table silver.job_grade_away rename to job_grade"))
    assert counts(database) == []
    assert titles(database) == {}
    assert load(database, broken) == "loaded"


def test_loaders_with_overlapping_pages_neither_deadlock_nor_lose(database: Engine) -> None:
    pages = [
        silver_object(
            [posting(number, f"version {n}") for number in range(1 + (n % 3) * 50, 301)],
            MONDAY + timedelta(minutes=n),
            key=f"uploads/{DATASET}/{n}.json",
        )
        for n in range(12)
    ]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda content: load(database, content), pages)) == ["loaded"] * 12
    assert set(titles(database).values()) == {"version 9", "version 10", "version 11"}
    assert titles(database)[300] == "version 11"
    assert all(read == sum(rest) for read, *rest in counts(database))
    assert sum(row[1] for row in counts(database)) == 300


def test_two_loaders_with_the_same_object_apply_it_once(database: Engine) -> None:
    content = silver_object([posting(number) for number in range(1, 201)])
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda _: load(database, content), range(2)))
    assert sorted(outcomes) == ["duplicate", "loaded"]


def completed(database: Engine) -> tuple[bool, int | None]:
    with database.connect() as connection:
        row = connection.execute(text("select completed_at is not null, distinct_records from ops.run")).one()
    return tuple(row)


def test_a_run_is_complete_when_its_last_page_is_loaded(database: Engine) -> None:
    load_plan(database, plan(pages=2, expected_records=3))
    load(database, silver_object([posting(1), posting(2)], key="bronze/d/p1", page=1))
    assert completed(database) == (False, None)
    load(database, silver_object([posting(2), posting(3)], key="bronze/d/p2", page=2))
    assert completed(database) == (True, 3)


def test_pages_may_arrive_before_their_plan(database: Engine) -> None:
    load(database, silver_object([posting(1)], key="bronze/d/p1", page=1))
    assert load_plan(database, plan(pages=1, expected_records=1)) == "planned"
    assert completed(database) == (True, 1)
    assert load_plan(database, plan(pages=1, expected_records=1)) == "duplicate"


def test_a_run_without_pages_is_complete_at_once(database: Engine) -> None:
    load_plan(database, plan(pages=0, expected_records=0))
    assert completed(database) == (True, 0)


def test_a_page_loaded_twice_does_not_complete_a_run_of_two(database: Engine) -> None:
    load_plan(database, plan(pages=2, expected_records=2))
    load(database, silver_object([posting(1)], MONDAY, key="bronze/d/p1", page=1))
    load(database, silver_object([posting(1)], TUESDAY, key="bronze/d/p1", page=1))
    assert completed(database) == (False, None)


def test_the_last_two_pages_at_once_complete_the_run(database: Engine) -> None:
    for attempt in range(5):
        with database.begin() as connection:
            connection.execute(text("truncate ops.run, ops.loaded_object"))
        load_plan(database, plan(pages=2, expected_records=400))
        pages = [
            silver_object(
                [posting(n) for n in range(1 + p * 200, 201 + p * 200)],
                MONDAY + timedelta(hours=attempt),
                key=f"bronze/d/{p}",
                page=p + 1,
            )
            for p in range(2)
        ]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda content: load(database, content), pages))
        assert completed(database) == (True, 400)


def test_rejected_records_are_kept_once(database: Engine) -> None:
    rejected = Rejected(
        dataset=DATASET,
        source=ObjectId("bucket", "bronze/d/p1", version_id="1"),
        transform_version=1,
        run_id=RUN,
        record_index=7,
        natural_key="x",
        observed_at=MONDAY,
        problems=(Problem(rule="too_old", field="job.title", message="so old"),),
        raw='{"a": "\\u0000\\ud800"}',
    )
    content = ObjectContent(quarantine.write([rejected]), MONDAY, {})
    for _ in range(2):
        with database.begin() as connection:
            assert loading.load_quarantine(connection, content).outcome == "quarantined"
    with database.connect() as connection:
        rows = connection.execute(text("select record_index, rule, field, message, raw from ops.quarantine")).all()
    assert [tuple(row) for row in rows] == [(7, "too_old", "job.title", "so old", rejected.raw)]


def test_the_database_itself_refuses_counts_that_do_not_add_up(database: Engine) -> None:
    load(database, silver_object([posting(1)]))
    with pytest.raises(IntegrityError, match="conservation"), database.begin() as connection:
        connection.execute(text("update ops.loaded_object set unchanged = 5"))


def test_the_migrations_make_what_the_tables_say(database: Engine) -> None:
    command.check(migrate.configuration(os.environ["SMELT_DATABASE_URL"]))
    assert migrate.missing(database) == set()


def test_a_loader_refuses_a_database_that_lacks_migrations(database: Engine) -> None:
    insert = text("insert into ops.migration (version_num) values (:version)")
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        newest = connection.scalars(text("delete from ops.migration returning version_num")).all()
        try:
            result = subprocess.run(
                [sys.executable, "-m", "services.loader.worker"],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            connection.execute(text("truncate ops.migration"))
            connection.execute(insert, [{"version": version} for version in newest])
    assert result.returncode != 0
    assert "the database lacks migrations " in result.stderr
    assert all(version in result.stderr for version in newest)
    assert "run `smelt db upgrade`" in result.stderr


def test_run_plans_and_silver_objects_of_others_are_permanent_errors() -> None:
    for read in (silver.read, run_plan.read, quarantine.read):
        with pytest.raises(Exception, match="not a"):
            read(b"something else")
