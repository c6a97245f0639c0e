"""Runs as the ledger has them: how far, how fast, what is missing and why."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text

from services.ops.reconcile import reprocess
from services.ops.runs import details as run_details
from services.ops.runs import runs
from services.ops.runs.details import RunDetails
from services.ops.runs.queries import LATEST
from services.ops.runs.runs import Run
from shared.config.topology import EXTRACT
from shared.database.ops_tables import LOADED_OBJECT, RUN, SCHEMA_DRIFT
from shared.formats.commands import PageCommand
from tests.conftest import Smelt, smelt_command
from tests.integration.letters import bury
from tests.integration.pipeline import BROKEN, DATASET, Pipeline, emptied, posting
from tests.integration.pipeline import RUN as RUN_ID

pytestmark = pytest.mark.integration

PARTS, PAGES = 60, 50  # of a back-fill


@pytest.fixture
def pipeline(backends: Mapping[str, str], database: Engine) -> Iterator[Pipeline]:
    """Nothing anywhere."""
    assert backends
    assert database
    with emptied() as made:
        yield made


@pytest.fixture
def smelt(backends: Mapping[str, str]) -> Smelt:
    """The command line on these backends."""
    return smelt_command(Path(backends["SMELT_HOME"]))


def run(pipeline: Pipeline, run_id: str = RUN_ID) -> Run:
    found = runs.find(pipeline.connections, run_id)
    assert found
    return found


def details(pipeline: Pipeline, run_id: str = RUN_ID) -> RunDetails:
    found = run_details.details(pipeline.connections, run_id)
    assert found
    return found


def planned(database: Engine, run_id: str, *parts: int, **columns: Any) -> None:
    """A run in the ledger whose parts have so many pages."""
    row = {
        "run_id": run_id,
        "dataset": DATASET,
        "params": {},
        "trigger": "test",
        "parts": [{"params": {}, "rows": 1_000, "pages": pages} for pages in parts],
        "planned_pages": sum(parts),
        "expected_records": 1_000 * len(parts),
        "planned_at": datetime.now(UTC) - timedelta(hours=1),
    }
    with database.begin() as connection:
        connection.execute(insert(RUN).values(row | columns))


def loaded(database: Engine, run_id: str, *pages: tuple[int, int, int | None], **columns: Any) -> None:
    """Pages in the ledger: (part, page, the part's pages as the page knew it)."""
    at = datetime.now(UTC)
    rows = [
        {
            "dataset": DATASET,
            "bucket": "bucket",
            "key": f"{run_id}/{part}/{page}",
            "version": "1",
            "transform_version": 1,
            "silver_key": "silver",
            "run_id": run_id,
            "part": part,
            "page": page,
            "part_pages": of,
            "observed_at": at,
            "loaded_at": at,
            "read": 10,
            "inserted": 10,
            "quarantined": 0,
            **columns,
        }
        for part, page, of in pages
    ]
    with database.begin() as connection:
        connection.execute(insert(LOADED_OBJECT), rows)


def test_progress_counts_pages_as_the_parts_know_them_now(pipeline: Pipeline, database: Engine) -> None:
    planned(database, RUN_ID, 3, 3, 3)
    loaded(database, RUN_ID, (1, 1, 5), (2, 1, 3), (2, 2, 2))
    assert (run(pipeline).pages, run(pipeline).planned_pages) == (3, 5 + 2 + 3)


def test_a_page_is_loaded_once_all_its_batches_are_and_counts_once(pipeline: Pipeline, database: Engine) -> None:
    planned(database, RUN_ID, 2)
    loaded(database, RUN_ID, (1, 1, 2), batch=1, is_last_batch=False)
    assert run(pipeline).pages == 0
    loaded(database, RUN_ID, (1, 1, 2), batch=2)
    loaded(database, RUN_ID, (1, 1, 2), version="2")
    assert (run(pipeline).pages, run(pipeline).read) == (1, 30)


def test_the_rate_is_of_late_and_says_how_long_the_rest_takes(pipeline: Pipeline, database: Engine) -> None:
    planned(database, RUN_ID, 100)
    before = datetime.now(UTC) - timedelta(minutes=30)
    loaded(database, RUN_ID, *((1, page, 100) for page in range(1, 29)), loaded_at=before)
    assert (run(pipeline).rate, run(pipeline).seconds_left) == (0, None)
    loaded(database, RUN_ID, *((1, page, 100) for page in range(29, 41)))
    assert (run(pipeline).rate, run(pipeline).seconds_left) == (12 / 120, 60 / (12 / 120))


def test_a_young_run_is_measured_over_its_own_time(pipeline: Pipeline, database: Engine) -> None:
    planned(database, RUN_ID, 100, planned_at=datetime.now(UTC) - timedelta(seconds=10))
    loaded(database, RUN_ID, *((1, page, 100) for page in range(1, 51)))
    found = run(pipeline)
    assert found.seconds
    assert found.rate == 50 / found.seconds


def test_a_back_fill_among_others_is_looked_at_without_reading_the_others(database: Engine) -> None:
    """What Postgres reads is counted, not timed."""
    for number in range(4):
        run_id = f"2026010{number + 1}T000000Z-0123abcd"
        planned(database, run_id, *[PAGES] * PARTS, planned_at=datetime(2026, 1, number + 1, tzinfo=UTC))
        loaded(database, run_id, *((part, page, PAGES) for part in range(1, PARTS + 1) for page in range(1, PAGES)))
    with database.begin() as connection:
        connection.execute(text("analyze ops.loaded_object"))
        query = str(LATEST).replace(":most", "1").replace(":dataset", "null").replace(":since", "null")
        explained = connection.exec_driver_sql(f"explain (analyze, format json) {query}").scalar_one()
        assert [one.pages for one in runs.find_latest(connection, 1)] == [PARTS * (PAGES - 1)]
    read = [node for node in _nodes(explained[0]["Plan"]) if node.get("Relation Name") == "loaded_object"]
    assert read
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in read) <= 2 * PARTS * (PAGES - 1)
    assert sum(node.get("Rows Removed by Filter", 0) * node["Actual Loops"] for node in read) == 0


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from _nodes(inner)


def test_the_newest_runs_come_first_and_others_are_left_out_where_asked(database: Engine) -> None:
    for hours, dataset in ((3, DATASET), (2, "usajobs_codes"), (1, DATASET)):
        at = datetime.now(UTC) - timedelta(hours=hours)
        planned(database, f"run {hours}", 1, planned_at=at, dataset=dataset)
    with database.connect() as connection:
        assert [one.run_id for one in runs.find_latest(connection, 9)] == ["run 1", "run 2", "run 3"]
        assert [one.run_id for one in runs.find_latest(connection, 2)] == ["run 1", "run 2"]
        assert [one.run_id for one in runs.find_latest(connection, 9, DATASET)] == ["run 1", "run 3"]
        since = timedelta(hours=2, minutes=30)
        assert [one.run_id for one in runs.find_latest(connection, 9, DATASET, since)] == ["run 1"]


def test_a_complete_run_is_told_whole(pipeline: Pipeline) -> None:
    pipeline.plan(pages=2, expected_records=3)
    pipeline.put_page(1, posting(1), posting(2), of=2)
    pipeline.put_page(2, BROKEN, of=2)
    pipeline.work()
    found = details(pipeline)
    assert (found.state, found.run.conserved, found.missing) == ("complete", True, ())
    assert [(part.loaded, part.pages, part.params) for part in found.parts] == [(2, 2, {"Keyword": "smelter"})]
    assert [(group.records, group.still_open) for group in found.quarantine] == [(1, 1)]


def test_missing_pages_are_named_with_whether_they_were_fetched(pipeline: Pipeline) -> None:
    pipeline.plan(pages=3, expected_records=3)
    pipeline.put_page(1, posting(1))
    pipeline.work()
    pipeline.put_page(2, posting(2))
    missing = [(page.part, page.page, page.of, page.fetched) for page in details(pipeline).missing]
    assert missing == [(1, 2, 3, True), (1, 3, 3, False)]


def test_of_many_missing_pages_the_first_are_named(pipeline: Pipeline, database: Engine) -> None:
    planned(database, RUN_ID, 30)
    assert [page.page for page in details(pipeline).missing] == [*range(1, run_details.MAX_MISSING_SHOWN + 1)]


def test_warnings_of_the_run_and_its_pages_and_drift_are_told(pipeline: Pipeline, database: Engine) -> None:
    warned = {"rule": "r", "field": "f", "message": "m", "records": 2}
    planned(database, RUN_ID, 2, warnings=[{**warned, "rule": "row_count", "records": 0}])
    loaded(database, RUN_ID, (1, 1, 2), (1, 2, 2), warnings=[warned])
    drift = {"kind": "unknown_field", "path": "Shade", "detail": "string", "records": 3}
    with database.begin() as connection:
        connection.execute(insert(SCHEMA_DRIFT).values(dataset=DATASET, source=RUN_ID, **drift))
    found = details(pipeline)
    assert [(one.rule, one.records, one.pages) for one in found.warnings] == [("r", 4, 2), ("row_count", 0, 0)]
    assert [row["path"] for row in found.drift] == ["Shade"]
    assert found.run.warnings == 3


def test_a_run_is_incomplete_only_with_nothing_under_way_for_a_while(pipeline: Pipeline, database: Engine) -> None:
    planned(database, RUN_ID, 1)
    looked = run(pipeline)
    assert details(pipeline).state == "incomplete"
    pipeline.connections.sqs.send_message(
        QueueUrl=pipeline.connections.settings.extract_queue_url, MessageBody="anything"
    )
    assert details(pipeline).state == "running"
    assert looked.state(busy=None) == "unknown"
    assert replace(looked, last_at=looked.at).state(busy=False) == "running"
    assert replace(looked, completed_at=looked.at).state(busy=None) == "complete"
    assert replace(looked, rejected_reason="its slot had a run").state(busy=True) == "rejected"


def test_what_died_or_was_replayed_of_a_run_is_named(pipeline: Pipeline, database: Engine) -> None:
    planned(database, RUN_ID, 1)
    page = PageCommand(dataset=DATASET, run_id=RUN_ID, params={}, part=1, page=1, of=1)
    mine = bury(pipeline.connections, page.model_dump_json(), EXTRACT)
    bury(pipeline.connections, "{}", EXTRACT)
    reprocess.send(pipeline.connections, [], reprocess.ObjectFilter(DATASET, key=f"date=2026-01-05/run={RUN_ID}"))
    waiting = run_details.waiting(pipeline.connections, RUN_ID, now=1e12)
    assert [letter.id for letter in waiting.dead_letters] == [mine]
    assert [row["kind"] for row in details(pipeline).operator_actions] == ["reprocess"]


def test_the_commands_show_runs_to_people_and_programs(pipeline: Pipeline, smelt: Smelt) -> None:
    pipeline.plan(pages=3, expected_records=3)
    pipeline.put_page(1, posting(1))
    pipeline.work()
    listed = smelt("runs", "list", "--dataset", DATASET)
    assert (listed.returncode, RUN_ID in listed.stdout, "page 1 of 3" in listed.stdout) == (0, True, True), listed
    assert json.loads(smelt("runs", "list", "--json").stdout)["runs"][0]["pages"] == 1
    assert smelt("runs", "list", "--since", "1s", "--dataset", "usajobs_codes").stdout.startswith("no runs")
    shown = smelt("runs", "show", RUN_ID)
    assert shown.returncode == 0, shown
    assert "part 1, page 2 of 3: never fetched" in shown.stdout
    assert "read 1 = inserted 1 + updated 0" in shown.stdout
    assert json.loads(smelt("runs", "show", RUN_ID, "--json").stdout)["run"]["planned_pages"] == 3
    unknown = smelt("runs", "show", "20200101T000000Z-00000000", "--json")
    assert (unknown.returncode, json.loads(unknown.stdout)["run"]) == (1, None)


@pytest.mark.parametrize(
    "words",
    [
        (DATASET, "--param", "keyword=smelter", "--json"),
        ("--json", "--param", "keyword=smelter", DATASET),
    ],
)
def test_a_run_starts_with_its_options_in_any_order(pipeline: Pipeline, smelt: Smelt, words: tuple[str, ...]) -> None:
    started = smelt("runs", "start", *words)
    assert started.returncode == 0, started
    command = next(json.loads(message.body) for message in pipeline.taken(EXTRACT))
    assert command["run_id"] == json.loads(started.stdout)["run_id"]
    assert (command["dataset"], command["params"]) == (DATASET, {"Keyword": "smelter"})


def test_a_run_needs_a_known_dataset(smelt: Smelt) -> None:
    assert smelt("runs", "start").returncode == 2
    assert smelt("runs", "start", "nothing of the kind").returncode == 1
