"""Rules, and what readings say of them."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from pathlib import Path

import pytest

from services.ops.health import measurements, rules
from services.ops.health.cli import _verdict_json, _verdict_text
from services.ops.health.rules import Measurement, State, Verdict
from services.ops.queues.monitor import Sample
from services.ops.queues.rates import queue_statuses
from services.ops.queues.stats import MessageCounts, QueueSnapshot
from shared.config.topology import QUEUES, SILVER
from shared.datasets import registry
from shared.engine.availability import Outage
from shared.engine.worker_status import InFlightMessage, ObservedStatus, WorkerStatus

ROOT = Path(__file__).parents[2]
FOR_TERRAFORM = ROOT / "infra" / "terraform" / "alerts.json"
EMPTY = MessageCounts(0, 0, 0)
WAITING = MessageCounts(5, 1, 0)


def well() -> dict[tuple[str, str], Measurement]:
    """Readings of a system in order."""
    return {
        (rule.name, subject): Measurement(rule.name, subject, 0.0) for rule in rules.rules() for subject in rule.limits
    }


def verdicts(*others: Measurement) -> list[Verdict]:
    """What the rules say of a system in order but for these."""
    return rules.evaluate((well() | {(one.rule, one.subject): one for one in others}).values())


def state(*others: Measurement) -> State:
    return rules.worst(verdict.state for verdict in verdicts(*others))


def test_terraform_reads_the_rules_as_they_are() -> None:
    assert FOR_TERRAFORM.read_text() == rules.as_json() + "\n", "python -m services.ops.health.rules > that file"


def test_terraform_is_told_of_every_queue_in_rules_that_cloudwatch_can_see_and_of_no_other_rule() -> None:
    told = json.loads(rules.as_json())
    assert set(told) == {"dead-letters", "oldest", "no-progress"}
    for rule in told.values():
        assert rule["limits"].keys() == rule["minutes"].keys() == {queue.service for queue in QUEUES}


def test_what_cloudwatch_cannot_see_is_asked_for_by_the_scheduled_check() -> None:
    options = (ROOT / "infra" / "terraform" / "options.tf").read_text()
    scheduled = set(re.findall(r'"--rule", "([a-z-]+)"', options))
    assert scheduled == {rule.name for rule in rules.rules() if not rule.minutes} - {"missed-slot"}  # has an alarm


@pytest.mark.parametrize("rule", rules.rules(), ids=lambda rule: rule.name)
def test_a_rule_has_a_page_that_says_what_to_do(rule: rules.AlertRule) -> None:
    assert (ROOT / rule.page).is_file()


def test_a_system_in_order_is_ok() -> None:
    assert state() == "ok"


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (Measurement("dead-letters", SILVER.name, 1), "warning"),
        (Measurement("oldest", SILVER.name, 600), "ok"),
        (Measurement("oldest", SILVER.name, 601), "warning"),
        (Measurement("no-progress", SILVER.name, 1_201), "critical"),
        (Measurement("no-progress", SILVER.name, inf), "critical"),
        (Measurement("freshness", "usajobs_search", 26 * 3_600 + 1), "critical"),
        (Measurement("quarantine-share", "usajobs_search", 0.05), "ok"),
        (Measurement("quarantine-share", "usajobs_search", 0.051), "warning"),
        (Measurement("conservation", "usajobs_search", 1), "critical"),
        (Measurement("missed-slot", "daily", 0), "ok"),
        (Measurement("missed-slot", "daily", 1), "warning"),
        (Measurement("dead-letters", SILVER.name, None), "unknown"),
    ],
)
def test_a_rule_is_broken_beyond_its_limit_and_not_at_it(reading: Measurement, expected: State) -> None:
    assert state(reading) == expected


def test_what_nobody_measured_is_unknown_and_not_ok() -> None:
    found = rules.evaluate([])
    assert {verdict.state for verdict in found} == {"unknown"}
    assert {verdict.rule.name for verdict in found} == {rule.name for rule in rules.rules()} - {"missed-slot"}


def test_what_is_unknown_may_be_critical_and_so_comes_before_a_warning() -> None:
    assert rules.worst(["ok", "unknown", "warning"]) == "unknown"
    assert rules.worst(["warning", "critical", "unknown"]) == "critical"
    assert rules.worst(["unknown", "ok"]) == "unknown"
    assert rules.EXIT_CODES == {"ok": 0, "warning": 1, "critical": 2, "unknown": 3}


def test_only_datasets_that_promise_freshness_are_held_to_it() -> None:
    (rule,) = (rule for rule in rules.rules() if rule.name == "freshness")
    promised = {name: registry.dataset(name).freshness for name in registry.names()}
    assert rule.limits == {name: seconds for name, seconds in promised.items() if seconds is not None}
    assert rule.limits


def test_a_verdict_says_what_is_how_much_and_why() -> None:
    (told,) = (one for one in verdicts(Measurement("oldest", SILVER.name, 725)) if one.state != "ok")
    assert _verdict_text(told) == "a message has waited too long: 12 min 5 s, at most 10 min"
    (unknown,) = (one for one in verdicts(Measurement("oldest", SILVER.name, None, "SQS: away")) if one.state != "ok")
    assert _verdict_text(unknown) == "unknown (SQS: away)"


def test_what_is_beyond_measure_is_null_in_json_and_its_state_is_not_unknown() -> None:
    (told,) = (one for one in verdicts(Measurement("no-progress", SILVER.name, inf)) if one.state != "ok")
    described = json.loads(json.dumps(_verdict_json(told), allow_nan=False))
    assert (described["value"], described["state"]) == (None, "critical")


def loader(*working: InFlightMessage, settled: float | None = None) -> ObservedStatus:
    """A loader that started at 1,000 s, as it said itself at 5,000 s."""
    return ObservedStatus(WorkerStatus("loader", "host", 1, 1_000.0, 5_000.0, working, 0, settled), ago=0.0)


def look(silver: MessageCounts | None, *workers: ObservedStatus) -> QueueSnapshot:
    counts: dict[str, MessageCounts | None] = dict.fromkeys((queue.name for queue in QUEUES), EMPTY)
    return QueueSnapshot(0.0, {**counts, SILVER.name: silver}, dict(counts), [*workers], problems=("SQS: away",))


def progress(before: QueueSnapshot, after: QueueSnapshot, age: float | None = None) -> Measurement:
    ages = {} if age is None else {SILVER.name: age}
    found = measurements.of_queues(Sample(datetime.now(UTC), after, before, tuple(queue_statuses(before, after, ages))))
    return next(one for one in found if (one.rule, one.subject) == ("no-progress", SILVER.name))


def outage(*workers: ObservedStatus) -> Measurement:
    seen = look(WAITING, *workers)
    found = measurements.of_queues(Sample(datetime.now(UTC), seen, seen, tuple(queue_statuses(seen, seen, {}))))
    return next(one for one in found if (one.rule, one.subject) == ("outage", SILVER.name))


def waiting(since: float) -> ObservedStatus:
    """A loader that says at 5,000 s for what it waits."""
    return ObservedStatus(replace(loader().note, outage=Outage("database", "refused", since)), ago=2.0)


def test_an_outage_is_as_long_as_that_of_the_worker_that_waits_longest() -> None:
    assert outage(loader()).value == 0
    assert outage(loader(), waiting(4_990.0), waiting(4_800.0)) == Measurement(
        "outage", SILVER.name, 202.0, "database: refused"
    )
    assert state(outage(waiting(4_990.0))) == "ok"
    assert state(outage(waiting(4_800.0))) == "critical"


def test_a_queue_that_was_empty_at_either_look_makes_progress() -> None:
    idle = loader(settled=1_500.0)
    assert progress(look(EMPTY, idle), look(WAITING, idle)).value == 0
    assert progress(look(WAITING, idle), look(EMPTY, idle)).value == 0


def test_messages_that_wait_while_nothing_is_done_make_none() -> None:
    stuck = look(WAITING, loader(settled=1_500.0))
    assert progress(stuck, stuck).value == 3_500.0
    assert progress(stuck, stuck, age=700.0).value == 700.0  # they have not waited for longer
    new = look(WAITING, loader())
    assert progress(new, new).value == 4_000.0


def test_a_message_in_work_is_progress_from_its_beginning() -> None:
    busy = look(WAITING, loader(InFlightMessage("m", "body", 1, since=4_990.0), settled=1_500.0))
    assert progress(busy, busy).value == 10.0


def test_one_process_that_works_is_enough() -> None:
    both = look(WAITING, loader(settled=1_500.0), loader(settled=4_999.0))
    assert progress(both, both).value == 1.0


def test_messages_that_nobody_is_there_for_make_no_progress_however_long_they_have_waited() -> None:
    nobody = look(WAITING)
    assert (progress(nobody, nobody).value, progress(nobody, nobody).note) == (inf, "no worker is running")
    assert progress(nobody, nobody, age=30.0).value == 30.0  # a worker may be starting


def test_progress_that_could_not_be_measured_is_unknown_and_says_why() -> None:
    unknown = progress(look(None), look(None))
    assert (unknown.value, unknown.note) == (None, "SQS: away")
