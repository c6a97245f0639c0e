"""A run in words, as far as it is known how it goes on."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.ops.runs.cli_output import say_details, state_line
from services.ops.runs.details import PartProgress, RunDetails, Waiting, parts
from services.ops.runs.runs import Run
from shared.database.ops_tables import OPERATOR_ACTION
from shared.datasets.source import Part as Planned
from shared.formats.run_plan import RunPlan

NOW = datetime(2026, 1, 5, tzinfo=UTC)
RUN = Run(
    run_id="20260105T000000Z-0123abcd",
    dataset="d",
    params={},
    planned_at=NOW - timedelta(minutes=10),
    completed_at=None,
    planned_pages=2_850,
    expected_records=2_850_000,
    distinct_records=None,
    pages=120,
    read=1,
    inserted=1,
    updated=0,
    unchanged=0,
    stale=0,
    quarantined=0,
    in_quarantine=0,
    recent=240,
    at=NOW,
)
DONE = "complete[/], page 2,850 of 2,850, in 10 min, 2,849,000 of 2,850,000 announced"
COMPLETE = replace(RUN, completed_at=NOW, pages=2_850, distinct_records=2_849_000, warnings=1)


@pytest.mark.parametrize(
    ("run", "state", "line"),
    [
        (RUN, "running", "running[/], page 120 of 2,850, for 10 min, 2.0 pages/s, about 22 min 45 s left"),
        (replace(RUN, recent=0), "running", "running[/], page 120 of 2,850, for 10 min, [yellow]no progress[/yellow]"),
        (
            RUN,
            "incomplete",
            "incomplete[/], page 120 of 2,850, for 10 min, smelt reconcile says what is missing and why",
        ),
        (
            COMPLETE,
            "complete",
            f"{DONE}, [yellow]1,000 missing[/yellow], [yellow]1 warning[/yellow]",
        ),
        (
            replace(COMPLETE, expected_records=0, warnings=0),
            "complete",
            "complete[/], page 2,850 of 2,850, in 10 min, 2,849,000 records, no number announced",
        ),
        (
            replace(RUN, rejected_reason="[b]its slot[/b] had a run"),
            "rejected",
            r"rejected[/]: \[b]its slot\[/b] had a run",
        ),
    ],
)
def test_a_run_says_how_far_it_is_and_what_to_expect(run: Run, state: str, line: str) -> None:
    assert state_line(run, state).partition("]")[2] == line


def test_a_part_has_as_many_pages_as_its_last_page_said() -> None:
    plan = RunPlan(
        run_id=RUN.run_id,
        dataset="d",
        params={},
        trigger="test",
        expected_records=9,
        parts=(Planned({"a": "1"}, 3, 3), Planned({}, 6, 2)),
    )
    loaded = {(2, 3): 3, (2, 1): 2}
    assert [*parts(plan, loaded)] == [PartProgress(1, {"a": "1"}, 3, 3, 0), PartProgress(2, {}, 6, 3, 2)]


def test_replays_that_name_a_run_are_listed_with_what_became_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    row = dict.fromkeys(column.name for column in OPERATOR_ACTION.columns)
    row |= {"id": 7, "kind": "dead_letter", "started_at": NOW, "matched": 3, "processed": 2, "outcome": "replayed"}
    details = RunDetails(RUN, "running", (), (), (), (), (), ({**row, "operator": "ann"},))
    say_details(RUN.run_id, details, Waiting((), 0, ()))
    assert "2 of 3 replayed, by ann" in capsys.readouterr().out
