"""Records that a complete run did not bring any more are marked; seen again, they are not."""

from datetime import datetime

import pytest
from sqlalchemy import Engine, text

from tests.integration.test_loader import (
    DATASET,
    MONDAY,
    TUESDAY,
    WEDNESDAY,
    load,
    load_plan,
    plan,
    posting,
    silver_object,
)

pytestmark = pytest.mark.integration

FIRST, SECOND, THIRD = (f"2026010{day}T000000Z-0123abcd" for day in (5, 6, 7))


def run(
    database: Engine, run_id: str, seen_at: datetime, *numbers: int, announced: int | None = None, **params: str
) -> None:
    load_plan(database, plan(1, len(numbers) if announced is None else announced, run_id, **params))
    page = silver_object(
        [posting(number) for number in numbers], seen_at, key=f"bronze/{DATASET}/{run_id}", page=1, run_id=run_id
    )
    assert load(database, page) == "loaded"


def inactive(database: Engine) -> dict[int, datetime]:
    with database.connect() as connection:
        rows = connection.execute(text("select control_number, inactive_since from silver.job_last_seen"))
        return {row.control_number: row.inactive_since for row in rows if row.inactive_since}


def test_what_a_complete_run_did_not_bring_is_inactive_since_then(database: Engine) -> None:
    run(database, FIRST, MONDAY, 1, 2, 3)
    assert inactive(database) == {}
    run(database, SECOND, TUESDAY, 1, 2)
    assert inactive(database) == {3: TUESDAY}


def test_it_stays_inactive_since_the_first_run_that_missed_it(database: Engine) -> None:
    run(database, FIRST, MONDAY, 1, 2)
    run(database, SECOND, TUESDAY, 1)
    run(database, THIRD, WEDNESDAY, 1)
    assert inactive(database) == {2: TUESDAY}


def test_what_is_seen_again_is_active_again(database: Engine) -> None:
    run(database, FIRST, MONDAY, 1, 2)
    run(database, SECOND, TUESDAY, 1)
    load(database, silver_object([posting(2)], WEDNESDAY))
    assert inactive(database) == {}


def test_an_older_sighting_does_not_make_it_active_again(database: Engine) -> None:
    run(database, FIRST, MONDAY, 1, 2)
    run(database, SECOND, WEDNESDAY, 1)
    load(database, silver_object([posting(1)], TUESDAY))
    assert inactive(database) == {2: WEDNESDAY}


def test_a_run_that_is_not_complete_marks_nothing(database: Engine) -> None:
    run(database, FIRST, MONDAY, 1, 2)
    load_plan(database, plan(2, 4, SECOND))
    load(database, silver_object([posting(1)], TUESDAY, page=1, run_id=SECOND))
    assert inactive(database) == {}


def test_a_run_that_did_not_cover_what_was_announced_marks_nothing(database: Engine) -> None:
    run(database, FIRST, MONDAY, 1, 2)
    run(database, SECOND, TUESDAY, 1, announced=2)
    assert inactive(database) == {}


def test_a_narrower_run_marks_only_what_runs_like_it_brought(database: Engine) -> None:
    run(database, FIRST, MONDAY, 1, 2, 3)
    run(database, SECOND, TUESDAY, 2, 3, Keyword="smelt")
    run(database, THIRD, WEDNESDAY, 2, Keyword="smelt")
    assert inactive(database) == {3: WEDNESDAY}


def test_what_was_seen_after_the_run_began_is_left_alone(database: Engine) -> None:
    run(database, FIRST, MONDAY, 1, 2)
    load(database, silver_object([posting(2)], WEDNESDAY))
    run(database, SECOND, TUESDAY, 1)
    assert inactive(database) == {}
