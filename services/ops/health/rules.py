"""Alert rules, defined once as data, and their evaluation against measurements. No I/O.

`smelt check` and the alarms in AWS use them: `python -m services.ops.health.rules` prints what Terraform reads as
`infra/terraform/alerts.json`.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from math import ceil
from typing import Literal

from shared.config.topology import EXTRACT, QUEUES, Queue
from shared.datasets import registry

State = Literal["ok", "unknown", "warning", "critical"]
Unit = Literal["messages", "seconds", "share", "records", "slots", "runs"]

EXIT_CODES: Mapping[State, int] = {"ok": 0, "warning": 1, "critical": 2, "unknown": 3}  # as in Nagios
SEVERITY: tuple[State, ...] = ("ok", "warning", "unknown", "critical")  # what is unknown may be critical
RUNBOOKS = "docs/runbooks"

# s that a message may wait: sources recover through back-off, our own queues through more workers; below the SLO
OLDEST = {queue.name: 1_800.0 if queue is EXTRACT else 600.0 for queue in QUEUES}
OUTAGE = 120.0  # s that workers may wait for an unavailable part; a database failover takes one or two minutes
STARTING = 10  # minutes that a service may take to start from zero workers
QUARANTINE_SHARE = 0.05  # of a day's records; more indicates a changed source or a bug


@dataclass(frozen=True)
class AlertRule:
    """An alert rule. `wrong` describes the problem if a measurement exceeds its limit.

    `limits` are maxima by subject, 0 for subjects unknown in advance. `minutes` is how long CloudWatch must see the
    problem before alarming, by queue; empty if CloudWatch cannot measure it.
    """

    name: str
    wrong: str
    unit: Unit
    level: Literal["warning", "critical"]
    runbook: str
    limits: Mapping[str, float] = field(default_factory=dict)
    minutes: Mapping[str, int] = field(default_factory=dict)

    @property
    def page(self) -> str:
        """The path of the runbook."""
        return f"{RUNBOOKS}/{self.runbook}.md"


@dataclass(frozen=True)
class Measurement:
    """A measurement of a subject for a rule. The value is None if unknown; `note` gives the reason or details."""

    rule: str
    subject: str
    value: float | None
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """The evaluation of a rule for one subject."""

    rule: AlertRule
    subject: str
    state: State
    value: float | None
    limit: float
    note: str


@cache
def rules() -> tuple[AlertRule, ...]:
    """All rules, in the order of the pipeline."""
    nothing = dict.fromkeys([queue.name for queue in QUEUES], 0.0)
    datasets = registry.names()
    stalled = {queue.name: _longest_pause(queue) for queue in QUEUES}
    return (
        AlertRule(
            "dead-letters", "messages could not be handled", "messages", "warning", "dead-letters",
            nothing, minutes=dict.fromkeys(nothing, 1),  # each needs an operator
        ),
        AlertRule(
            "oldest", "a message has waited too long", "seconds", "warning", "backlog",
            OLDEST, minutes=dict.fromkeys(OLDEST, 5),  # longer than a restart of the service
        ),
        AlertRule(
            "no-progress", "messages are waiting and none is processed", "seconds", "critical", "backlog",
            {name: 60.0 * minutes for name, minutes in stalled.items()}, minutes=stalled,
        ),
        AlertRule(
            "outage", "workers are waiting for an unavailable part", "seconds", "critical", "database-down",
            dict.fromkeys(nothing, OUTAGE),
        ),
        AlertRule(
            "freshness", "the newest complete run is old", "seconds", "critical", "stale-data", _freshness(datasets)
        ),
        AlertRule(
            "incomplete-run", "a run is incomplete and nothing of it arrives", "runs", "warning", "failed-run",
            dict.fromkeys(datasets, 0.0),
        ),
        AlertRule(
            "quarantine-share", "many of a day's records are in quarantine", "share", "warning", "quarantine",
            dict.fromkeys(datasets, QUARANTINE_SHARE),
        ),
        AlertRule(
            "conservation", "rejected records are missing from quarantine", "records", "critical", "quarantine",
            dict.fromkeys(datasets, 0.0),
        ),
        AlertRule(
            "consistency", "a dataset is inconsistent", "records", "critical",
            "dead-letters", dict.fromkeys(datasets, 0.0),
        ),
        AlertRule("missed-slot", "a schedule did not start its run", "slots", "warning", "missed-schedule"),
    )  # fmt: skip


def evaluate(readings: Iterable[Measurement]) -> list[Verdict]:
    """Evaluate all rules, by rule and subject. Missing measurements are unknown."""
    by_subject = {(reading.rule, reading.subject): reading for reading in readings}
    return [
        _verdict(rule, by_subject.get((rule.name, subject)) or Measurement(rule.name, subject, None, "not measured"))
        for rule in rules()
        for subject in sorted({*rule.limits, *(subject for name, subject in by_subject if name == rule.name)})
    ]


def worst(states: Iterable[State]) -> State:
    """The most severe state; ok if there is none."""
    return max(states, key=SEVERITY.index, default="ok")


def as_json() -> str:
    """The rules that CloudWatch can measure, for Terraform: limits and minutes by service."""
    return json.dumps({rule.name: dict(_alarms(rule)) for rule in rules() if rule.minutes}, indent=2)


def _alarms(rule: AlertRule) -> Iterator[tuple[str, object]]:
    yield "runbook", rule.runbook
    for what, values in (("limits", rule.limits), ("minutes", rule.minutes)):
        yield what, {queue.service: int(values[queue.name]) for queue in QUEUES}


def _verdict(rule: AlertRule, reading: Measurement) -> Verdict:
    limit = rule.limits.get(reading.subject, 0)
    state: State = "ok"
    if reading.value is None:
        state = "unknown"
    elif reading.value > limit:
        state = rule.level
    return Verdict(rule, reading.subject, state, reading.value, limit, reading.note)


def _freshness(datasets: Iterable[str]) -> dict[str, float]:
    limits = ((name, registry.dataset(name).freshness) for name in datasets)
    return {name: seconds for name, seconds in limits if seconds is not None}


def _longest_pause(queue: Queue) -> int:
    """Minutes that a queue may go without progress: its longest task, and the start of a worker."""
    return ceil(queue.time_limit / 60) + STARTING


if __name__ == "__main__":
    sys.stdout.write(as_json() + "\n")
