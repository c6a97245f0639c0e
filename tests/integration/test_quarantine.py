"""Quarantine entries in the database: kept, and closed when their record was replayed or has passed since."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text

from services.loader import load as worker
from shared.formats import quarantine
from shared.formats.quarantine import Problem, Rejected
from shared.formats.silver import Replayed
from shared.storage.object_id import ObjectId
from shared.storage.objects import ObjectContent
from tests.integration.test_loader import DATASET, MONDAY, TUESDAY, WEDNESDAY, load, posting, silver_object, titles

pytestmark = pytest.mark.integration

BAD = f"uploads/{DATASET}/bad.json"


def rejected(key: str | None, seen_at: datetime, index: int = 0, **fields: Any) -> Rejected:
    """A record that failed."""
    given = {
        "dataset": DATASET,
        "source": ObjectId("bucket", BAD, version_id=f"{seen_at}"),
        "transform_version": 1,
        "run_id": None,
        "record_index": index,
        "natural_key": key,
        "observed_at": seen_at,
        "problems": (Problem(rule="r", field="f", message="m"),),
        "raw": "{}",
    }
    return Rejected(**given | fields)


def reject(database: Engine, *entries: Rejected) -> None:
    """Load a quarantine object."""
    with database.begin() as connection:
        worker.load_quarantine(connection, ObjectContent(quarantine.write(entries), MONDAY, {}))


def seen(database: Engine, number: int, at: datetime, **fields: Any) -> None:
    """The record was there, in good order."""
    load(database, silver_object([posting(number)], at, key=f"uploads/{DATASET}/good.json", **fields))


def closed(database: Engine) -> list[tuple[int, str | None]]:
    """(record index, closed as) of all entries."""
    query = text("select record_index, closed_as from ops.quarantine order by observed_at, record_index")
    with database.connect() as connection:
        wrong = connection.scalar(
            text("select count(*) from ops.quarantine where (closed_at is null) <> (closed_as is null)")
        )
        assert wrong == 0
        return [tuple(row) for row in connection.execute(query)]


def test_a_record_that_passes_later_closes_its_entry(database: Engine) -> None:
    reject(database, rejected("1", MONDAY), rejected("2", MONDAY, 1))
    seen(database, 1, TUESDAY)
    assert closed(database) == [(0, "superseded"), (1, None)]


def test_an_entry_that_arrives_after_a_newer_row_is_closed_at_once(database: Engine) -> None:
    seen(database, 1, TUESDAY)
    reject(database, rejected("1", MONDAY), rejected("2", MONDAY, 1))
    assert closed(database) == [(0, "superseded"), (1, None)]


@pytest.mark.parametrize("row_first", [True, False])
@pytest.mark.parametrize("at", [MONDAY, TUESDAY], ids=["earlier", "in the same second"])
def test_a_record_that_was_in_order_before_does_not_close_its_entry(
    database: Engine, at: datetime, *, row_first: bool
) -> None:
    steps: list[Callable[[], None]] = [lambda: seen(database, 1, at), lambda: reject(database, rejected("1", TUESDAY))]
    for step in steps if row_first else reversed(steps):
        step()
    assert closed(database) == [(0, None)]


def test_an_old_entry_that_arrives_late_does_not_close_a_newer_one_of_the_same_key(database: Engine) -> None:
    seen(database, 1, TUESDAY)
    reject(database, rejected("1", WEDNESDAY))
    reject(database, rejected("1", MONDAY))
    assert closed(database) == [(0, "superseded"), (0, None)]


def test_a_late_old_sighting_that_is_stale_by_now_still_closes_what_is_older_yet(database: Engine) -> None:
    reject(database, rejected("1", MONDAY))
    reject(database, rejected("1", WEDNESDAY))
    seen(database, 1, TUESDAY)
    assert closed(database) == [(0, "superseded"), (0, None)]


@pytest.mark.parametrize("key", [None, "", "x", "1.5", "9" * 30, "1\t1", "01"])
def test_an_entry_of_a_record_that_nothing_can_be_told_of_stays_open(database: Engine, key: str | None) -> None:
    reject(database, rejected(key, MONDAY))
    seen(database, 1, TUESDAY)
    reject(database, rejected(key if key != "01" else "x", MONDAY, 1))
    assert closed(database) == [(0, None), (1, None)]


def test_another_dataset_s_records_close_nothing(database: Engine) -> None:
    reject(database, rejected("1", MONDAY, dataset="usajobs_historic"))
    seen(database, 1, TUESDAY)
    assert closed(database) == [(0, None)]


def replayed(*indexes: int, version: str = f"{MONDAY}", transform_version: int = 1) -> Replayed:
    """Records of the bad object."""
    return Replayed(
        source=ObjectId("bucket", BAD, version_id=version),
        transform_version=transform_version,
        observed_at=MONDAY,
        indexes=indexes,
    )


def test_a_replay_closes_the_entries_that_it_repeats_and_no_other(database: Engine) -> None:
    reject(database, *(rejected(str(n), MONDAY, n) for n in range(1, 4)))
    reject(database, rejected("4", TUESDAY, 1))
    seen(database, 1, MONDAY, replay=replayed(1, 3))
    assert closed(database) == [(1, "replayed"), (2, None), (3, "replayed"), (1, None)]
    assert titles(database) == {1: "Smelter"}


def test_a_replay_under_another_transform_closes_nothing_of_this_one(database: Engine) -> None:
    reject(database, rejected("7", MONDAY))
    seen(database, 1, MONDAY, replay=replayed(0, transform_version=2))
    assert closed(database) == [(0, None)]


def test_what_is_replayed_does_not_overwrite_what_was_seen_since(database: Engine) -> None:
    load(database, silver_object([posting(1, "newer")], TUESDAY))
    reject(database, rejected("1", MONDAY))
    old = silver_object([posting(1, "older")], MONDAY, key=f"replays/{DATASET}/r/1.json", replay=replayed(0))
    load(database, old)
    assert titles(database) == {1: "newer"}


def test_a_closed_entry_stays_as_it_was_closed(database: Engine) -> None:
    reject(database, rejected("1", MONDAY))
    seen(database, 1, MONDAY, replay=replayed(0))
    seen(database, 1, WEDNESDAY)
    reject(database, rejected("1", MONDAY))
    assert closed(database) == [(0, "replayed")]
