"""`smelt check` on a real ledger: what it measures, and how it ends."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, insert, text

from services.ops.health import measurements
from services.ops.health.rules import Measurement
from shared.database.ops_tables import LOADED_OBJECT, QUARANTINE, RUN
from tests.conftest import smelt_command

pytestmark = pytest.mark.integration

DATASET = "usajobs_search"


def measured(database: Engine) -> dict[tuple[str, str], Measurement]:
    """What the ledger says, by rule and subject."""
    connections: Any = SimpleNamespace(database=database)
    return {(one.rule, one.subject): one for one in measurements.of_ledger(connections)}


def of(database: Engine, rule: str) -> float | None:
    return measured(database)[rule, DATASET].value


def ran(database: Engine, run_id: str, hours_ago: int, *, complete: bool = True, **params: str) -> None:
    moment = text(f"now() - interval '{hours_ago} hours'")
    run = {"run_id": run_id, "dataset": DATASET, "params": params, "trigger": "t", "parts": [], "planned_pages": 0}
    done = moment if complete else None
    with database.begin() as connection:
        connection.execute(insert(RUN).values(**run, expected_records=0, planned_at=moment, completed_at=done))


def loaded(database: Engine, read: int, quarantined: int, minutes_ago: int = 60, run_id: str | None = None) -> None:
    moment = text(f"now() - interval '{minutes_ago} minutes'")
    identity = {"dataset": DATASET, "bucket": "b", "key": "k", "version": "v", "transform_version": 1, "run_id": run_id}
    counts = {"read": read, "stale": read - quarantined, "quarantined": quarantined}
    with database.begin() as connection:
        connection.execute(
            insert(LOADED_OBJECT).values(**identity, **counts, silver_key="s", observed_at=moment, loaded_at=moment)
        )


def rejected(database: Engine, records: int, *, closed: bool = False) -> None:
    identity = {"dataset": DATASET, "bucket": "b", "key": "k", "version": "v", "transform_version": 1}
    about = {"rule": "r", "field": "f", "message": "m", "problems": [], "raw": "{}"}
    with database.begin() as connection:
        for number in range(records):
            closing = text("now()") if closed else None
            row = {**identity, **about, "record_index": number, "observed_at": text("now()"), "closed_at": closing}
            connection.execute(insert(QUARANTINE).values(**row))


def test_freshness_is_the_age_of_the_newest_complete_run_of_all(database: Engine) -> None:
    ran(database, "old", 30)
    ran(database, "new", 20)
    ran(database, "of a part", 2, Keyword="nurse")
    ran(database, "not complete", 1, complete=False)
    assert of(database, "freshness") == pytest.approx(20 * 3_600, abs=300)


def test_without_a_complete_run_freshness_is_unknown_and_says_so(database: Engine) -> None:
    ran(database, "not complete", 1, complete=False)
    found = measured(database)["freshness", DATASET]
    assert (found.value, found.note) == (None, "no run has completed")


def test_a_run_of_which_nothing_arrives_any_more_is_incomplete(database: Engine) -> None:
    ran(database, "complete", 3)
    ran(database, "planned just now", 0, complete=False)
    assert of(database, "incomplete-run") == 0
    ran(database, "stuck", 2, complete=False, Keyword="nurse")
    assert of(database, "incomplete-run") == 1


def test_a_run_of_which_something_was_loaded_lately_is_under_way(database: Engine) -> None:
    ran(database, "long", 5, complete=False)
    loaded(database, read=1, quarantined=0, minutes_ago=10, run_id="long")
    assert of(database, "incomplete-run") == 0


def test_an_incomplete_run_is_made_up_for_by_a_later_complete_one_of_the_same(database: Engine) -> None:
    ran(database, "stuck", 5, complete=False)
    ran(database, "of a part", 3, Keyword="nurse")
    assert of(database, "incomplete-run") == 1
    ran(database, "again", 2)
    assert of(database, "incomplete-run") == 0


def test_the_share_is_of_what_waits_in_quarantine_among_what_was_read_in_a_day(database: Engine) -> None:
    loaded(database, read=40, quarantined=10)
    rejected(database, 10)
    assert of(database, "quarantine-share") == 0.25


def test_what_was_replayed_is_no_longer_part_of_the_share(database: Engine) -> None:
    loaded(database, read=40, quarantined=10)
    rejected(database, 10, closed=True)
    assert of(database, "quarantine-share") == 0


def test_a_share_of_a_few_records_says_nothing(database: Engine) -> None:
    loaded(database, read=3, quarantined=2)
    rejected(database, 2)
    assert of(database, "quarantine-share") == 0


def test_conservation_counts_rejected_records_that_cannot_be_looked_at(database: Engine) -> None:
    loaded(database, read=40, quarantined=10)
    rejected(database, 7)
    assert of(database, "conservation") == 3


def test_rejected_records_may_come_a_little_later_than_the_others(database: Engine) -> None:
    loaded(database, read=40, quarantined=10, minutes_ago=5)
    assert of(database, "conservation") == 0


def test_without_the_database_all_that_it_knows_is_unknown() -> None:
    found = measured(create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/nothing"))
    assert {rule for rule, _ in found} == {"freshness", "incomplete-run", "quarantine-share", "conservation"}
    assert {one.value for one in found.values()} == {None}
    assert all("refused" in one.note for one in found.values())


def test_check_says_a_line_a_rule_and_exits_as_nagios_expects(backends: Mapping[str, str], database: Engine) -> None:
    smelt = smelt_command(Path(backends["SMELT_HOME"]))
    ran(database, "new", 1)
    well = smelt("check", "--rule", "freshness", "--rule", "conservation")
    assert (well.returncode, [line.split()[:2] for line in well.stdout.splitlines()]) == (
        0,
        [["ok"], ["ok", "freshness"], ["ok", "conservation"]],
    )
    loaded(database, read=40, quarantined=10)
    rejected(database, 9)
    warned = smelt("check", "--rule", "quarantine-share")
    assert (warned.returncode, "docs/runbooks/quarantine.md" in warned.stdout) == (1, True)
    critical = smelt("check", "--rule", "conservation", "--rule", "quarantine-share", "--json")
    assert (critical.returncode, json.loads(critical.stdout)["state"]) == (2, "critical")
    assert smelt("check", "--rule", "nonsense").returncode == 3
