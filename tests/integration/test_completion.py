"""When a run or an upload is complete, and what is then seen by comparing it with those before."""

from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from services.loader import load as worker
from shared.formats.silver import Replayed
from shared.storage.object_id import ObjectId
from shared.storage.objects import ObjectContent
from tests.integration.test_loader import (
    DATASET,
    MONDAY,
    completed,
    counts,
    load,
    load_plan,
    plan,
    posting,
    silver_object,
    titles,
)

pytestmark = pytest.mark.integration

RUNS = "2026010{}T000000Z-0123abcd"


def page(number: int, *postings: int, of: int | None, **fields: Any) -> ObjectContent:
    """A page of the run, whose part was known to have `of` pages."""
    return silver_object(
        [posting(one) for one in postings], key=f"bronze/{DATASET}/p{number}", page=number, part_pages=of, **fields
    )


# Pages


def test_a_part_that_ends_before_its_last_planned_page_is_complete(database: Engine) -> None:
    load_plan(database, plan(pages=5, expected_records=9))
    load(database, page(1, 1, of=5))
    assert completed(database) == (False, None)
    load(database, page(2, 2, of=2))
    assert completed(database) == (True, 2)


def test_a_part_that_goes_on_beyond_its_last_planned_page_is_complete_with_its_real_last(database: Engine) -> None:
    load_plan(database, plan(pages=1, expected_records=1))
    load(database, page(1, 1, of=2))
    assert completed(database) == (False, None)
    load(database, page(2, 2, of=2))
    assert completed(database) == (True, 2)


def test_the_last_page_of_a_part_may_be_loaded_first(database: Engine) -> None:
    load_plan(database, plan(pages=3, expected_records=3))
    load(database, page(3, 3, of=3))
    load(database, page(1, 1, of=3))
    assert completed(database) == (False, None)
    load(database, page(2, 2, of=3))
    assert completed(database) == (True, 3)


def test_a_page_loaded_under_two_transforms_is_one_page(database: Engine) -> None:
    load_plan(database, plan(pages=2, expected_records=2))
    load(database, page(1, 1, of=2))
    load(database, page(1, 1, of=2, transform_version=2))
    assert completed(database) == (False, None)


def test_a_page_that_knows_of_more_than_was_planned_is_believed_whichever_it_is(database: Engine) -> None:
    load_plan(database, plan(pages=2, expected_records=2))
    load(database, page(2, 2, of=2))
    load(database, page(1, 1, of=3))
    assert completed(database) == (False, None)
    load(database, page(3, 3, of=3))
    assert completed(database) == (True, 3)


def test_of_a_page_that_was_fetched_anew_the_newer_version_counts(database: Engine) -> None:
    load_plan(database, plan(pages=3, expected_records=2))
    load(database, page(1, 1, of=3))
    load(database, page(2, 2, of=3))
    assert completed(database) == (False, None)
    load(database, page(2, 2, of=2, observed_at=MONDAY + timedelta(hours=1)))
    assert completed(database) == (True, 2)


@pytest.mark.parametrize(
    ("rows", "announced"),
    [
        pytest.param((2, 2), 2, id="as planned"),
        pytest.param((1, None), 2, id="fewer, or nothing said"),
        pytest.param((2, 7), 7, id="one page announced more"),
        pytest.param((7, 2), 7, id="and a later one less again"),
    ],
)
def test_what_pages_announce_beyond_the_plan_is_what_the_run_is_measured_by(
    database: Engine, rows: tuple[int | None, int | None], announced: int
) -> None:
    load_plan(database, plan(pages=2, expected_records=2))
    for number, said in enumerate(rows, start=1):
        load(database, page(number, number, of=2, part_rows=said))
    assert completed(database) == (True, 2)
    with database.connect() as connection:
        assert connection.scalar(text("select expected_records from ops.run")) == announced


# Batches


def test_a_page_of_two_batches_is_loaded_when_both_are_in_any_order(database: Engine) -> None:
    for order in ((1, 2), (2, 1)):
        with database.begin() as connection:
            connection.execute(text("truncate ops.run, ops.loaded_object, silver.job, silver.job_last_seen cascade"))
        batches = {1: page(1, 1, 2, of=1, batch=1, last=False), 2: page(1, 3, of=1, batch=2)}
        load_plan(database, plan(pages=1, expected_records=3))
        first, second = order
        load(database, batches[first])
        assert completed(database) == (False, None)
        load(database, batches[second])
        assert completed(database) == (True, 3)
        assert sorted(titles(database)) == [1, 2, 3]


def test_each_batch_is_applied_once(database: Engine) -> None:
    batches = [page(1, 1, 2, of=1, batch=1, last=False), page(1, 3, of=1, batch=2)]
    assert [load(database, one) for one in batches * 2] == ["loaded", "loaded", "duplicate", "duplicate"]
    assert counts(database) == [(2, 2, 0, 0, 0), (1, 1, 0, 0, 0)]


def test_of_a_posting_in_two_batches_of_an_object_the_later_entry_counts_in_any_order(database: Engine) -> None:
    for order in ((1, 2), (2, 1)):
        with database.begin() as connection:
            connection.execute(text("truncate ops.loaded_object, silver.job, silver.job_last_seen cascade"))
        for batch in order:
            load(database, upload(posting(1, f"entry {batch}"), batch=batch, last=batch == 2))
        assert titles(database) == {1: "entry 2"}


def test_a_missing_batch_in_the_middle_is_noticed(database: Engine) -> None:
    load_plan(database, plan(pages=1, expected_records=3))
    load(database, page(1, 1, of=1, batch=1, last=False))
    load(database, page(1, 3, of=1, batch=3, last=True))
    assert completed(database) == (False, None)
    load(database, page(1, 2, of=1, batch=2, last=False))
    assert completed(database) == (True, 3)


# Comparisons


def records(*numbers: int, **fields: Any) -> list[dict[str, Any]]:
    """Postings with these fields beside what they all have."""
    return [posting(number) | fields for number in numbers]


def run(database: Engine, number: int, postings: list[dict[str, Any]], **params: str) -> list[dict[str, Any]]:
    """A run of one page, loaded completely; returns its warnings."""
    run_id, day = RUNS.format(number), MONDAY + timedelta(days=number)
    load_plan(database, plan(1, len(postings), run_id, **params))
    load(database, silver_object(postings, day, key=f"bronze/{DATASET}/{number}", page=1, run_id=run_id))
    query = text("select completed_at, warnings from ops.run where run_id = :run_id")
    with database.connect() as connection:
        done, warnings = connection.execute(query, {"run_id": run_id}).one()
    assert done
    return list(warnings)


def drifts(database: Engine) -> list[tuple[str, str, str, str, int]]:
    """(source, kind, path, detail, records)."""
    query = text("select source, kind, path, detail, records from ops.schema_drift order by id")
    with database.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def baseline(database: Engine, path: str) -> dict[str, float]:
    """{type: share} of a field."""
    query = text("select type, share from ops.field_baseline where dataset = :dataset and path = :path")
    with database.connect() as connection:
        found = connection.execute(query, {"dataset": DATASET, "path": path})
        return {row.type: row.share for row in found}


def test_the_first_run_is_the_baseline(database: Engine) -> None:
    assert run(database, 1, records(*range(1, 31))) == []
    assert drifts(database) == []
    assert baseline(database, "MatchedObjectDescriptor.PositionTitle") == {"string": 1.0}


def test_what_differs_from_the_baseline_is_recorded_and_loaded(database: Engine) -> None:
    known = {"RelevanceRank": 1}
    run(database, 1, records(*range(1, 31), **known))
    odd = [posting(number) | {"Future": {"a": 1}, "MatchedObjectId": number} for number in range(1, 31)]
    odd[0]["MatchedObjectId"] = "1"
    odd[1]["MatchedObjectDescriptor"]["PositionSchedule"] = [{"Code": "9"}]
    run(database, 2, odd)
    assert sorted(drifts(database)) == [
        (RUNS.format(2), "new_value", "MatchedObjectDescriptor.PositionSchedule[].Code", "9", 1),
        (RUNS.format(2), "type_change", "MatchedObjectId", "number, was string", 29),
        (RUNS.format(2), "unknown_field", "Future", "object", 30),
        (RUNS.format(2), "vanished_field", "RelevanceRank", "was in 100%", 30),
    ]
    assert len(titles(database)) == 30


def test_the_baseline_follows_slowly(database: Engine) -> None:
    run(database, 1, records(*range(1, 41), RelevanceRank=1))
    run(database, 2, [*records(*range(1, 21), RelevanceRank=1), *records(*range(21, 41), RelevanceRank=None)])
    assert baseline(database, "RelevanceRank") == pytest.approx({"number": 0.85, "null": 0.15})


def test_a_run_of_few_records_does_not_move_the_baseline(database: Engine) -> None:
    run(database, 1, records(*range(1, 31), RelevanceRank=1))
    run(database, 2, records(1, 2, RelevanceRank="1"))
    assert [kind for _, kind, *_ in drifts(database)] == ["type_change"]
    assert baseline(database, "RelevanceRank") == {"number": 1.0}


def test_a_run_of_far_fewer_records_than_those_before_is_warned_about(database: Engine) -> None:
    assert run(database, 1, records(*range(1, 41))) == []
    assert run(database, 2, records(*range(1, 21))) == []
    assert run(database, 3, records(*range(1, 11))) == [
        {
            "rule": "row_count",
            "field": "",
            "message": "10 records, the latest runs of the same params had 30",
            "records": 0,
        }
    ]


def test_only_runs_of_the_same_params_are_compared_by_their_number_of_records(database: Engine) -> None:
    run(database, 1, records(*range(1, 41)))
    assert run(database, 2, records(1), Keyword="nurse") == []


def test_a_run_whose_records_lack_what_they_had_before_is_warned_about(database: Engine) -> None:
    run(database, 1, records(*range(1, 31), RelevanceRank=1))
    warnings = run(database, 2, records(*range(1, 31), RelevanceRank=None))
    assert [(one["rule"], one["field"], one["message"]) for one in warnings] == [
        ("null_share", "RelevanceRank", "in 0%, of late in 100%")
    ]


def test_shapes_and_keys_are_forgotten_once_they_have_been_compared(database: Engine) -> None:
    load(database, page(1, *range(1, 31), of=2))
    look = text("select count(field_profile), count(natural_keys) from ops.loaded_object")
    with database.connect() as connection:
        assert tuple(connection.execute(look).one()) == (1, 1)
    load_plan(database, plan(2, 60))
    load(database, page(2, *range(31, 61), of=2))
    with database.connect() as connection:
        assert tuple(connection.execute(look).one()) == (0, 0)
    assert baseline(database, "MatchedObjectId") == {"string": 1.0}


# Uploads


def upload(*postings: dict[str, Any], name: str = "a.json", **fields: Any) -> ObjectContent:
    """A file, or a batch of one."""
    return silver_object(list(postings), key=f"uploads/{DATASET}/{name}", **fields)


def test_an_upload_is_compared_once_all_of_it_is_there(database: Engine) -> None:
    load(database, upload(*records(*range(1, 16)), batch=1, last=False))
    assert baseline(database, "MatchedObjectId") == {}
    load(database, upload(*records(*range(16, 31), Future=1), batch=2))
    assert baseline(database, "MatchedObjectId") == {"string": 1.0}
    assert drifts(database) == [(f"uploads/{DATASET}/a.json", "unknown_field", "Future", "number", 15)]


def test_an_upload_whose_last_two_batches_are_loaded_at_once_is_compared_too(database: Engine) -> None:
    one, two = (upload(*records(n, Future=1), batch=n, last=n == 2) for n in (1, 2))
    with ThreadPoolExecutor(1) as pool, database.connect() as connection:
        with connection.begin():
            worker.load_silver(connection, one)
            other = pool.submit(load, database, two)
            wait([other], timeout=2)  # for as long as it would need if it did not wait for the first
        assert other.result() == "loaded"
    assert [(path, many) for _, _, path, _, many in drifts(database)] == [("Future", 2)]


def test_a_replay_is_no_upload_to_compare(database: Engine) -> None:
    repeated = Replayed(
        source=ObjectId("bucket", f"uploads/{DATASET}/a.json", version_id="1"),
        transform_version=1,
        observed_at=MONDAY,
        indexes=(0,),
    )
    load(database, upload(*records(*range(1, 31), Future=1), name="../replays/r/1.json", replay=repeated))
    assert (drifts(database), baseline(database, "MatchedObjectId")) == ([], {})


def test_the_same_difference_in_one_source_is_recorded_once(database: Engine) -> None:
    load(database, upload(*records(1, Future=1)))
    load(database, upload(*records(1, Future=1), transform_version=2))
    assert len(drifts(database)) == 1


def test_a_page_of_a_complete_run_that_is_loaded_once_more_leaves_nothing_behind(database: Engine) -> None:
    load_plan(database, plan(1, 2))
    load(database, page(1, 1, 2, of=1))
    assert completed(database) == (True, 2)
    load(database, page(1, 1, 2, of=1, transform_version=2))
    with database.connect() as connection:
        assert tuple(
            connection.execute(text("select count(field_profile), count(natural_keys) from ops.loaded_object")).one()
        ) == (0, 0)
