"""Runs of an incremental source: records change between them, a run fails, is late, or is replayed; none is missed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner, Result

from services.ops.datasets import state as states
from services.ops.datasets.state import StateView
from services.ops.main import app
from shared.database import source_state
from shared.errors import PermanentError, TransientError
from shared.formats.commands import PageCommand
from shared.storage import object_keys
from shared.storage.object_id import ObjectId
from tests.integration.extraction import Extraction, extraction, message
from tests.support.own_dataset import contract, own_dataset, own_tables, smelt
from tests.support.rest_server import RestServer, rest_server

pytestmark = pytest.mark.integration

COLUMNS: list[dict[str, Any]] = [
    {"name": "updated_at", "logicalType": "timestamp"},
    {"name": "price", "logicalType": "integer", "logicalTypeOptions": {"minimum": 0}},
]


@dataclass
class Runs:
    """The runs of a dataset, and the server with its records."""

    server: RestServer
    of: Extraction

    def put(self, name: str, updated_at: object, price: int = 1) -> None:
        self.server.changes = [record for record in self.server.changes if record["id"] != name]
        self.server.changes.append({"id": name, "updated_at": updated_at, "price": price})

    def run(self, **params: str) -> str:
        """A whole run; what it requested since."""
        self.of.plan(**params)
        self.of.work()
        assert self.of.run()[0]
        return self.since()

    def since(self) -> str:
        return self.server.calls[-1].query.get("since", "")

    def pages(self) -> list[PageCommand]:
        return self.of.commands()

    def state(self, **params: str) -> str | None:
        """The state of these params, which the extractor has as well."""
        views = [view for view in self.views() if view.params == params]
        assert all(view.is_published for view in views)
        return views[0].cursor if views else None

    def views(self) -> list[StateView]:
        return list(states.states(self.of.connections, ["change"]))

    def warnings(self) -> list[str]:
        return self.column(
            "select jsonb_array_elements(warnings) ->> 'message' from ops.run"
            " union all select jsonb_array_elements(warnings) ->> 'message' from ops.loaded_object"
        )

    def ids(self) -> list[str]:
        return self.column("select id from silver.change order by 1")

    def column(self, query: str) -> list[Any]:
        with self.of.connections.database.connect() as connection:
            return list(connection.scalars(text(query)))


@pytest.fixture
def runs(database: Engine, tmp_path: Path) -> Iterator[Runs]:
    with rest_server() as server:
        source = {
            "baseUrl": server.url,
            "path": "/changes",
            "params": {"since": "{since}"},
            "runParams": {"city": ""},
            "pagination": {"type": "page", "param": "page", "size": 2},
            "incremental": {
                "cursor": "updated_at",
                "param": "since",
                "overlap": "1h",
                "initial": "2020-01-01T00:00:00Z",
            },
            "requestsPerSecond": 1000,
        }
        options = smelt(records="items", total="total", source=source)
        with (
            own_dataset(tmp_path, contract("change", COLUMNS, **options), name="change"),
            own_tables(database, "change"),
            extraction("change", "incremental") as of,
        ):
            yield Runs(server, of)


def test_a_run_requests_what_has_changed_since_the_one_before(runs: Runs) -> None:
    for number in range(5):
        runs.put(f"r{number}", f"2026-01-0{number + 1}T00:00:00Z")
    assert runs.run() == "2020-01-01T00:00:00Z"
    assert runs.state() == "2026-01-05T00:00:00Z"
    runs.put("r0", "2026-01-06T00:00:00Z", price=9)
    runs.put("late", "2026-01-04T23:30:00Z")  # stored late: the overlap covers it
    assert runs.run() == "2026-01-04T23:00:00Z"
    assert runs.ids() == ["late", "r0", "r1", "r2", "r3", "r4"]
    assert runs.column("select price from silver.change where id = 'r0'") == [9]
    assert runs.state() == "2026-01-06T00:00:00Z"
    assert runs.warnings() == []


def test_a_run_that_fails_in_the_middle_is_made_up_for_by_the_next(runs: Runs) -> None:
    for number in range(5):
        runs.put(f"r{number}", f"2026-01-0{number + 1}T00:00:00Z")
    runs.of.plan()
    (first,) = runs.pages()
    runs.of.fetch(first)
    runs.of.transform_object(first)
    runs.pages()  # the command for the second page is lost
    assert runs.state() is None
    assert runs.run() == "2020-01-01T00:00:00Z"
    assert len(runs.ids()) == 5


def test_a_run_that_completes_late_does_not_move_the_state_back(runs: Runs) -> None:
    runs.put("old", "2026-01-01T00:00:00Z")
    runs.of.plan()
    (slow,) = runs.pages()
    runs.of.fetch(slow)
    runs.put("new", "2026-01-03T00:00:00Z")
    runs.run()
    assert runs.state() == "2026-01-03T00:00:00Z"
    runs.of.transform_object(slow)
    assert runs.column("select count(*) from ops.run where completed_at is not null") == [2]
    assert runs.state() == "2026-01-03T00:00:00Z"


def test_a_run_that_is_replayed_changes_nothing(runs: Runs) -> None:
    runs.put("a", "2026-01-01T00:00:00Z")
    runs.of.plan()
    (page,) = runs.pages()
    runs.of.fetch(page)
    runs.of.transform_object(page)
    states.set_state(runs.of.connections, "change", {}, "2025-06-01")
    assert runs.of.fetch(page) == "duplicate"
    runs.of.transform_object(page)
    runs.of.load(object_keys.plan_key("change", runs.of.run_id))
    assert runs.state() == "2025-06-01T00:00:00Z"


def test_a_run_with_the_param_by_hand_does_not_count(runs: Runs) -> None:
    runs.put("a", "2026-01-01T00:00:00Z")
    assert runs.run(since="2025-12-01") == "2025-12-01"
    assert runs.state() is None


def test_runs_with_other_params_have_a_state_of_their_own(runs: Runs) -> None:
    runs.put("a", "2026-01-01T00:00:00Z")
    runs.run(city="Chicago")
    assert (runs.state(), runs.state(city="Chicago")) == (None, "2026-01-01T00:00:00Z")
    assert runs.run() == "2020-01-01T00:00:00Z"
    assert runs.run(city="Chicago") == "2025-12-31T23:00:00Z"


def test_a_rejected_record_counts_and_is_in_quarantine(runs: Runs) -> None:
    runs.put("good", "2026-01-01T00:00:00Z")
    runs.put("bad", "2026-01-02T00:00:00Z", price=-1)
    runs.run()
    assert runs.state() == "2026-01-02T00:00:00Z"
    assert runs.column("select natural_key from ops.quarantine") == ["bad"]


def test_records_without_a_cursor_are_loaded_and_said(runs: Runs) -> None:
    runs.put("a", "2026-01-01T00:00:00Z")
    runs.put("b", None)
    runs.server.changes[-1]["updated_at"] = None
    runs.run()
    assert runs.ids() == ["a", "b"]
    assert runs.state() == "2026-01-01T00:00:00Z"
    assert runs.warnings() == ["no timestamp that can be read: the state does not count these records"]


def test_a_time_in_the_future_hides_no_later_change(runs: Runs) -> None:
    runs.put("a", "9999-12-31T00:00:00Z")
    runs.run()
    begin = runs.column(
        "select to_char(min(observed_at) at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') from ops.loaded_object"
    )
    assert [runs.state()] == begin


def test_an_unchanged_record_counts_without_its_content(runs: Runs) -> None:
    runs.put("a", "2026-01-01T00:00:00Z")
    runs.run()
    states.set_state(runs.of.connections, "change", {}, None)
    runs.run()
    assert runs.state() == "2026-01-01T00:00:00Z"


def test_a_run_without_records_leaves_the_state(runs: Runs) -> None:
    runs.put("a", "2026-01-01T00:00:00Z")
    runs.run()
    runs.server.changes.clear()
    runs.run()
    assert runs.state() == "2026-01-01T00:00:00Z"
    assert runs.warnings() == []


def test_a_run_that_lacks_announced_records_leaves_the_state_and_says_so(runs: Runs) -> None:
    runs.put("a", "2026-01-01T00:00:00Z")
    runs.server.hidden = 1
    runs.run()
    assert runs.state() is None
    assert runs.warnings() == ["1 of 2 announced records are on the pages; the state stays as it is"]


def test_a_state_that_an_operator_sets_is_not_changed_by_a_run_that_had_begun(runs: Runs) -> None:
    runs.put("a", "2026-01-01T00:00:00Z")
    runs.run()
    runs.of.plan()
    states.set_state(runs.of.connections, "change", {}, "2024-02-01")
    runs.of.work()
    assert runs.state() == "2024-02-01T00:00:00Z"
    assert runs.warnings() == ["an operator has set the state since this run began; the state stays as it is"]
    assert runs.run() == "2024-01-31T23:00:00Z"
    assert runs.state() == "2026-01-01T00:00:00Z"
    assert runs.column("select filter ->> 'cursor' from ops.operator_action where kind = 'source_state'") == [
        "2024-02-01T00:00:00Z"
    ]


def test_after_a_reset_a_run_begins_with_the_initial_value(runs: Runs) -> None:
    runs.put("a", "2026-01-01T00:00:00Z")
    runs.run()
    states.set_state(runs.of.connections, "change", {}, None)
    assert runs.run() == "2020-01-01T00:00:00Z"


def test_a_generation_that_the_database_has_lost_is_taken_from_the_run(runs: Runs) -> None:
    runs.put("a", "2026-01-01T00:00:00Z")
    states.set_state(runs.of.connections, "change", {}, "2024-02-01")
    with runs.of.connections.database.begin() as connection:
        connection.execute(text("truncate ops.source_state"))
    assert runs.run() == "2024-01-31T23:00:00Z"
    assert runs.state() == "2026-01-01T00:00:00Z"


def test_a_copy_that_failed_is_written_when_the_message_comes_again(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.put("a", "2026-01-01T00:00:00Z")
    runs.of.plan()
    (page,) = runs.pages()
    runs.of.fetch(page)

    def unavailable(*_: object) -> None:
        message = "the bucket is away"
        raise TransientError(message)

    with monkeypatch.context() as patch:
        patch.setattr(source_state, "publish", unavailable)
        with pytest.raises(TransientError):
            runs.of.transform_object(page)
    assert [view.is_published for view in runs.views()] == [False]
    runs.of.transform_object(page)
    assert runs.state() == "2026-01-01T00:00:00Z"


def test_a_repeated_command_requests_what_the_first_one_did(runs: Runs) -> None:
    runs.put("a", "2026-01-01T00:00:00Z")
    runs.of.plan()
    command = {"version": 1, "type": "run", "dataset": "change", "run_id": runs.of.run_id, "params": {}}
    states.set_state(runs.of.connections, "change", {}, "2025-12-31")
    runs.of.extractor.handle(message(json.dumps(command)))
    assert {page.params["since"] for page in runs.pages()} == {"2020-01-01T00:00:00Z"}


def test_a_state_of_another_kind_ends_a_run_with_a_clear_error(runs: Runs) -> None:
    states.set_state(runs.of.connections, "change", {}, "2024-02-01")
    key = object_keys.state_key("change", {})
    stored = runs.of.stored(key)
    assert stored is not None
    body = stored.replace(b"2024-02-01T00:00:00Z", b"17")
    runs.of.extractor.s3.put_object(Bucket=runs.of.extractor.bucket, Key=key, Body=body)
    with pytest.raises(PermanentError, match="'17' is no cursor: since is a timestamp"):
        runs.of.plan()


@pytest.mark.parametrize(
    ("params", "value", "error"),
    [
        ({}, "soon", "is no cursor"),
        ({"since": "x"}, "2024-01-01", "by --set"),
        ({"town": "x"}, "2024-01-01", "runs take"),
    ],
)
def test_a_state_that_cannot_be_is_refused(runs: Runs, params: dict[str, str], value: str, error: str) -> None:
    with pytest.raises(PermanentError, match=error):
        states.set_state(runs.of.connections, "change", params, value)
    assert runs.views() == []


def test_the_plan_says_what_it_began_from(runs: Runs) -> None:
    runs.put("a", "2026-01-01T00:00:00Z")
    runs.run()
    runs.run()
    assert runs.column("select start from ops.run order by run_id") == [
        {"generation": 0, "cursor": None},
        {"generation": 0, "cursor": "2026-01-01T00:00:00Z"},
    ]
    assert runs.of.stored(ObjectId("", object_keys.state_key("change", {})).key) is not None


def smelt_state(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["datasets", "state", *arguments])


def test_the_command_shows_the_state_and_sets_it(runs: Runs) -> None:
    assert "no state" in smelt_state("change").stdout
    runs.put("a", "2026-01-01T00:00:00Z")
    runs.run()
    shown = "".join(smelt_state().stdout.split())  # cells wrap
    assert "change" in shown
    assert "another" not in shown
    (state,) = json.loads(smelt_state("--json").stdout)["states"]
    assert {"2026-01-01T00:00:00Z", "2025-12-31T23:00:00Z", runs.of.run_id} <= {*map(str, state.values())}
    result = smelt_state("change", "--set", "2025-06-01", "--param", "city=Chicago", "--json")
    (state,) = json.loads(result.stdout)["states"]
    assert (state["params"], state["cursor"]) == ({"city": "Chicago"}, "2025-06-01T00:00:00Z")
    assert (state["run_id"], state["is_published"]) == (None, True)
    smelt_state("change", "--reset", "--param", "city=Chicago")
    assert runs.state(city="Chicago") is None
    assert runs.state() == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--set", "2026-01-01"), "which dataset?"),
        (("change", "--set", "2026-01-01", "--reset"), "exclude each other"),
        (("usajobs_search",), "has no incremental source"),
        (("change", "--set", "soon"), "is no cursor"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(runs: Runs, arguments: tuple[str, ...], error: str) -> None:
    assert runs
    result = smelt_state(*arguments)
    assert result.exit_code == 1
    assert error in f"{result.exception}{result.output}"


def test_a_state_that_the_contract_no_longer_has_is_shown_with_the_others(runs: Runs) -> None:
    states.set_state(runs.of.connections, "change", {}, "2024-02-01")
    with runs.of.connections.database.begin() as connection:
        connection.execute(text("update ops.source_state set cursor = '17'"))
    assert "--reset" in smelt_state().stdout
