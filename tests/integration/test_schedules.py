"""Schedules on the real thing: one run a slot, one run at a time, and the command as an operator uses it."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
import redis
from sqlalchemy import Engine, select

from infra.embedded import aws, ports
from infra.embedded import schedules as emulated
from services.extractor.rate_limit import connection_pool
from services.extractor.run_guard import RunGuard, without_placeholder
from services.extractor.worker import Extractor, bootstrap
from services.loader import load as loading
from services.ops.connections import Connections
from services.ops.schedules import web
from services.ops.web.actions import Actions
from services.ops.web.context import ConsoleContext
from services.ops.web.forms import Form
from shared.config.settings import load_settings
from shared.database.ops_tables import OPERATOR_ACTION, RUN
from shared.datasets.source import Part
from shared.engine.message import Message
from shared.formats.commands import SCHEDULED_TIME, PageCommand, RunCommand, parse_command
from shared.formats.run_plan import RunPlan
from shared.storage import objects
from shared.storage.object_id import ObjectId
from shared.storage.objects import ObjectContent
from tests.conftest import Smelt, smelt_command

if TYPE_CHECKING:
    from mypy_boto3_scheduler.type_defs import TargetTypeDef

pytestmark = pytest.mark.integration

SECRET = "secret-of-the-test"  # noqa: S105 - of this test

SEVEN, EIGHT = "2026-01-01T07:00:00Z", "2026-01-01T08:00:00Z"
FIRST, SECOND = "20260101T070000Z-00000001", "20260101T080000Z-00000002"
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
DATASET = "usajobs_search"


def hourly(slot: str | None = SEVEN, trigger: str = "schedule:hourly") -> RunCommand:
    return RunCommand(dataset=DATASET, trigger=trigger, scheduled_for=slot, params={"Keyword": "nurse"})


def plan(run_id: str, slot: str | None = SEVEN, refused: str | None = None) -> RunPlan:
    parts = () if refused else (Part({}, rows=2, pages=2),)
    moment = datetime.fromisoformat(slot) if slot else None
    fields: dict[str, Any] = {
        "params": {},
        "expected_records": 2,
        "parts": parts,
        "scheduled_for": moment,
        "rejected_reason": refused,
    }
    return RunPlan(run_id=run_id, dataset=DATASET, trigger="schedule:hourly", **fields)


@pytest.fixture
def slots(backends: Mapping[str, str]) -> Iterator[RunGuard]:
    """Nothing is remembered yet."""
    pool = connection_pool(backends["SMELT_REDIS_URL"])
    redis.Redis(connection_pool=pool).flushall()
    yield RunGuard(pool)
    pool.disconnect()


def load(database: Engine, *plans: RunPlan) -> list[str]:
    with database.begin() as connection:
        bodies = [one.model_dump_json().encode() for one in plans]
        return [loading.load_plan(connection, ObjectContent(body, MONDAY, {})).outcome for body in bodies]


def runs(database: Engine) -> dict[str, Any]:
    with database.connect() as connection:
        return {row.run_id: row for row in connection.execute(select(RUN))}


def test_a_slot_belongs_to_the_run_that_asked_first(slots: RunGuard) -> None:
    assert slots.rejection_reason(hourly(), FIRST) is None
    assert slots.rejection_reason(hourly(), FIRST) is None  # delivered again
    assert slots.rejection_reason(hourly(), SECOND) == f"run {FIRST} has this slot"
    assert (
        slots.rejection_reason(hourly("2026-01-01T08:00:00+01:00"), SECOND) == f"run {FIRST} has this slot"
    )  # one moment
    assert slots.rejection_reason(hourly(EIGHT), SECOND) is None
    assert slots.rejection_reason(hourly(trigger="schedule:daily"), SECOND) is None


def test_a_run_is_refused_while_the_one_before_it_has_pages_to_fetch(slots: RunGuard) -> None:
    before = plan(FIRST)
    first, second = before.commands()
    slots.mark_started(before, [first, second])
    assert slots.rejection_reason(hourly(EIGHT), SECOND) == f"run {FIRST} is still running: 2 pages to fetch"
    slots.mark_fetched(first, [])
    assert slots.rejection_reason(hourly(EIGHT), SECOND) == f"run {FIRST} is still running: 1 pages to fetch"
    slots.mark_fetched(second, [])
    assert slots.rejection_reason(hourly(EIGHT), SECOND) is None


def test_a_page_that_brings_another_keeps_its_run_going(slots: RunGuard) -> None:
    before = plan(FIRST)
    page = next(before.commands())
    following = page.model_copy(update={"page": 2})
    slots.mark_started(before, [page])
    slots.mark_fetched(page, [following])
    assert "1 pages to fetch" in str(slots.rejection_reason(hourly(EIGHT), SECOND))


def test_only_schedules_wait_for_each_other(slots: RunGuard) -> None:
    before = plan(FIRST)
    slots.mark_started(before, before.commands())
    assert slots.rejection_reason(hourly(EIGHT, trigger="cli"), SECOND) is None
    assert slots.rejection_reason(hourly(EIGHT, trigger="schedule:other"), SECOND) is None


def test_without_redis_nothing_is_refused_and_nothing_fails() -> None:
    alone, before = RunGuard(connection_pool("redis://127.0.0.1:1/0")), plan(FIRST)
    alone.mark_started(before, before.commands())
    assert alone.rejection_reason(hourly(EIGHT), SECOND) is None


def test_the_ledger_has_one_run_a_slot_whatever_redis_remembers(database: Engine) -> None:
    assert load(database, plan(FIRST), plan(SECOND), plan(SECOND)) == ["planned", "planned", "duplicate"]
    found = runs(database)
    assert (found[FIRST].rejected_reason, found[FIRST].planned_pages) == (None, 2)
    assert (found[SECOND].rejected_reason, found[SECOND].planned_pages) == (f"run {FIRST} has this slot", 0)


def test_runs_without_a_slot_and_those_of_other_slots_do_not_disturb_each_other(database: Engine) -> None:
    third, fourth = "20260101T090000Z-00000003", "20260101T100000Z-00000004"
    assert load(database, plan(FIRST), plan(SECOND, EIGHT), plan(third, None), plan(fourth, None)) == ["planned"] * 4
    assert {row.rejected_reason for row in runs(database).values()} == {None}


def test_a_refused_run_leaves_its_slot_free_and_never_is_complete(database: Engine) -> None:
    load(database, plan(FIRST, refused="the one before is still running"), plan(SECOND))
    found = runs(database)
    assert (found[FIRST].completed_at, found[FIRST].rejected_reason) == (None, "the one before is still running")
    assert found[SECOND].rejected_reason is None


@pytest.fixture
def extractor(backends: Mapping[str, str], slots: RunGuard, request: pytest.FixtureRequest) -> Iterator[Extractor]:
    """With an extract queue of the test's own."""
    assert backends
    made: Extractor = bootstrap(load_settings()).__self__  # type: ignore[attr-defined]
    url = str(made.sqs.create_queue(QueueName=f"extract-{abs(hash(request.node.name))}")["QueueUrl"])
    yield replace(made, slots=slots, queue_url=url)
    made.http.close()
    made.limit._redis.connection_pool.disconnect()


def message(told: RunCommand | PageCommand, identity: str = "m", sent: int = 1_767_225_600_000) -> Message:
    return Message(told.model_dump_json(), identity, "receipt", "url", 1, sent, 0, {})


def stored_plans(extractor: Extractor, keyword: str) -> list[RunPlan]:
    keys = sorted(objects.list_keys(extractor.s3, extractor.bucket, "plans/"))
    found = [objects.get(extractor.s3, ObjectId(extractor.bucket, key), 1 << 20).body for key in keys]
    return [one for one in map(RunPlan.model_validate_json, found) if one.params == {"Keyword": keyword}]


def test_a_second_command_of_a_slot_finds_the_plan_of_the_first(extractor: Extractor) -> None:
    told = hourly().model_copy(update={"params": {"Keyword": "welder"}})
    assert extractor.handle(message(told, "first")) == "planned"
    assert extractor.handle(message(told, "second", sent=1_767_300_000_000)) == "planned"
    (planned,) = stored_plans(extractor, "welder")
    assert planned.scheduled_for == datetime(2026, 1, 1, 7, tzinfo=UTC)


def test_a_slot_during_the_run_before_is_skipped_and_the_ledger_says_why(
    extractor: Extractor, database: Engine
) -> None:
    keyword = {"params": {"Keyword": "pilot"}, "trigger": "schedule:pilots"}
    assert extractor.handle(message(hourly(SEVEN).model_copy(update=keyword))) == "planned"
    later = hourly(EIGHT).model_copy(update=keyword)
    assert extractor.handle(message(later)) == "rejected"
    assert extractor.handle(message(later)) == "rejected"  # delivered again
    before, skipped = stored_plans(extractor, "pilot")
    load(database, before, skipped)
    assert f"run {before.run_id} is still running" in runs(database)[skipped.run_id].rejected_reason
    for page in before.commands():
        extractor.handle(message(page))
    assert extractor.handle(message(later.model_copy(update={"scheduled_for": "2026-01-01T09:00:00Z"}))) == "planned"


def test_a_command_whose_slot_the_emulator_did_not_fill_in_is_a_run_of_its_own(extractor: Extractor) -> None:
    told = hourly(SCHEDULED_TIME, "schedule:x").model_copy(update={"params": {"Keyword": "cook"}})
    assert extractor.handle(message(told)) == "planned"
    (planned,) = stored_plans(extractor, "cook")
    assert planned.scheduled_for is None


@pytest.fixture
def smelt(backends: Mapping[str, str]) -> Iterator[Smelt]:
    """The command; afterwards no schedule is left."""
    yield smelt_command(Path(backends["SMELT_HOME"]))
    scheduler = boto3.client("scheduler")
    for one in scheduler.list_schedules()["Schedules"]:
        scheduler.delete_schedule(GroupName=one["GroupName"], Name=one["Name"])


def listed(smelt: Smelt) -> dict[str, Any]:
    said = smelt("schedules", "list", "--json").stdout
    return {one["name"]: one for one in json.loads(said)["schedules"]}


def test_a_schedule_is_added_paused_resumed_and_removed(smelt: Smelt, database: Engine) -> None:
    assert database
    added = smelt("schedules", "add", "daily", DATASET, "cron(0 7 * * ? *)", "--param", "keyword=nurse")
    assert added.returncode == 0, added.stderr
    assert listed(smelt)["daily"]["params"] == {"Keyword": "nurse"}
    assert listed(smelt)["daily"]["next"].endswith("07:00:00+00:00")
    assert smelt("schedules", "pause", "daily").returncode == 0
    assert (listed(smelt)["daily"]["enabled"], listed(smelt)["daily"]["next"]) == (False, None)
    assert smelt("schedules", "resume", "daily").returncode == 0
    assert listed(smelt)["daily"]["enabled"] is True
    refused = smelt("schedules", "remove", "daily")
    assert (refused.returncode, "pass --yes" in refused.stderr) == (2, True)
    assert smelt("schedules", "remove", "daily", "--yes").returncode == 0
    assert listed(smelt) == {}


def test_what_is_done_to_a_schedule_is_on_record_and_what_is_refused_is_not(smelt: Smelt, database: Engine) -> None:
    smelt("schedules", "add", "daily", DATASET, "cron(0 7 * * ? *)")
    for did in (("pause",), ("resume",), ("run-now",), ("remove", "--yes")):
        assert smelt("schedules", did[0], "daily", *did[1:]).returncode == 0
        assert smelt("schedules", did[0], "nobody", *did[1:]).returncode == 1
    with database.connect() as connection:
        rows = connection.execute(select(OPERATOR_ACTION).order_by(OPERATOR_ACTION.c.id)).all()
    assert {(row.kind, row.filter["schedule"], row.matched, row.processed) for row in rows} == {
        ("schedule", "daily", 1, 1)
    }
    assert [(row.filter["action"], row.outcome) for row in rows] == [
        ("pause", "paused"),
        ("resume", "resumed"),
        ("run-now", "run now"),
        ("remove", "removed"),
    ]


@pytest.mark.parametrize(("verb", "outcome"), [("pause", "paused"), ("resume", "resumed"), ("run-now", "run now")])
def test_the_console_s_change_is_the_command_s_once_it_is_confirmed(
    smelt: Smelt, connections: Connections, verb: str, outcome: str
) -> None:
    smelt("schedules", "add", "daily", DATASET, "cron(0 7 * * ? *)")
    actions, unused = Actions(), cast("Any", None)
    context = ConsoleContext(connections, connections, actions)
    answer = web.change_schedule(context, unused, Form({"name": "daily", "verb": verb}))
    planned = actions.find(answer.headers["location"].rpartition("/")[2])
    assert planned
    with connections.database.connect() as connection:
        assert connection.execute(select(OPERATOR_ACTION)).all() == []
    actions.start(planned, "ann")
    for thread in actions._threads:
        thread.join(30)
    with connections.database.connect() as connection:
        (row,) = connection.execute(select(OPERATOR_ACTION)).all()
    assert (row.kind, row.operator, row.filter, row.outcome) == (
        "schedule",
        "ann",
        {"action": verb, "schedule": "daily"},
        outcome,
    )
    assert (planned.state, planned.done, planned.record) == ("done", 1, row.id)
    assert listed(smelt)["daily"]["enabled"] is (verb != "pause")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("add", "x", DATASET, "every day"), "not a schedule"),
        (("add", "x", DATASET, "cron(0 7 * * ? *)", "--timezone", "Mars"), "not a schedule"),
        (("add", "x", DATASET, "rate(1 hour)", "--param", "colour=red"), "unknown parameter"),
        (("add", "x", "nothing", "rate(1 hour)"), "no dataset"),
        (("pause", "nobody"), "no schedule nobody"),
        (("remove", "nobody", "--yes"), "no schedule nobody"),
        (("run-now", "nobody"), "no schedule nobody"),
    ],
)
def test_what_cannot_be_meant_is_refused(smelt: Smelt, arguments: tuple[str, ...], complaint: str) -> None:
    said = smelt("schedules", *arguments)
    assert said.returncode == 1
    assert complaint in said.stderr
    assert listed(smelt) == {}


def test_a_name_is_taken_once(smelt: Smelt) -> None:
    assert smelt("schedules", "add", "one", DATASET, "rate(1 hour)").returncode == 0
    assert "there is a schedule one already" in smelt("schedules", "add", "one", DATASET, "rate(2 hours)").stderr


def received(url: str, seconds: float = 40) -> RunCommand:
    sqs, deadline = boto3.client("sqs"), time.monotonic() + seconds
    while time.monotonic() < deadline:
        for one in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
            told = parse_command(one["Body"])
            assert isinstance(told, RunCommand)
            return told
    pytest.fail("no command came")


def test_at_its_slot_a_schedule_puts_a_command_on_the_extract_queue(smelt: Smelt, backends: Mapping[str, str]) -> None:
    boto3.client("sqs").purge_queue(QueueUrl=backends["SMELT_EXTRACT_QUEUE_URL"])
    moment = datetime.now(UTC) + timedelta(seconds=12)  # longer than the command takes on a busy machine
    assert smelt("schedules", "add", "once", DATASET, f"at({moment:%Y-%m-%dT%H:%M:%S})").returncode == 0
    told = received(backends["SMELT_EXTRACT_QUEUE_URL"])
    assert (told.dataset, told.trigger, told.run_id) == (DATASET, "schedule:once", None)
    assert without_placeholder(told).scheduled_for is None  # the emulator does not say which slot it is
    assert listed(smelt) == {}  # what is over is gone


def test_run_now_is_of_the_schedule_and_of_no_slot(smelt: Smelt, backends: Mapping[str, str]) -> None:
    boto3.client("sqs").purge_queue(QueueUrl=backends["SMELT_EXTRACT_QUEUE_URL"])
    smelt("schedules", "add", "yearly", DATASET, "cron(0 7 1 1 ? *)")
    started = json.loads(smelt("schedules", "run-now", "yearly", "--json").stdout)
    told = received(backends["SMELT_EXTRACT_QUEUE_URL"])
    assert (told.run_id, told.trigger, told.scheduled_for) == (started["run_id"], "schedule:yearly", None)


def test_the_list_tells_the_last_run_and_the_slots_missed(smelt: Smelt, database: Engine) -> None:
    smelt("schedules", "add", "hourly", DATASET, "rate(1 hour)")
    load(database, plan(FIRST), plan(SECOND, EIGHT, refused="it rained"))
    last = listed(smelt)["hourly"]["last"]
    assert (last["run_id"], last["state"], last["why"]) == (SECOND, "rejected", "it rained")
    assert listed(smelt)["hourly"]["missed"] == 0  # it is new: what was before was not its business
    said = smelt("check", "--rule", "missed-slot", "--json")
    assert (said.returncode, json.loads(said.stdout)["verdicts"][0]["subject"]) == (0, "hourly")


def test_schedules_survive_a_crash_of_the_emulator_and_removed_ones_stay_away(tmp_path: Path) -> None:
    port = ports.choose({})["aws"]
    folder = tmp_path / "aws"
    folder.mkdir()

    def start() -> "subprocess.Popen[bytes]":
        told = aws.command(folder, port, SECRET)
        process = subprocess.Popen(told.arguments, cwd=told.folder, env=told.environment)
        while not (ports.accepts(port) and told.ready and told.ready()):
            time.sleep(0.1)
        aws.take_saved_queues(folder)
        aws.ensure_resources(port, SECRET)
        emulated.restore(folder, port, SECRET)
        return process

    def make(name: str, expression: str = "rate(1 hour)") -> None:
        target: TargetTypeDef = {
            "Arn": aws._arn("smelt-extract"),
            "RoleArn": "arn:aws:iam::000000000000:role/r",
            "Input": "{}",
        }
        emulated._client(port, SECRET).create_schedule(
            Name=name, ScheduleExpression=expression, FlexibleTimeWindow={"Mode": "OFF"}, Target=target
        )

    process = start()
    make("removed")
    process.terminate()  # in order: the emulator saves what it has
    process.wait()
    process = start()
    emulated._client(port, SECRET).delete_schedule(Name="removed")
    make("kept")
    make("over", "at(2020-01-01T00:00:00)")
    emulated.remember(folder, port, SECRET)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process = start()
    names = [one["Name"] for one in emulated._client(port, SECRET).list_schedules()["Schedules"]]
    process.terminate()
    process.wait()
    assert names == ["kept"]
