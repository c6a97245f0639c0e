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
Unit = Literal["messages", "seconds", "share", "records", "slots"]

EXIT_CODES: Mapping[State, int] = {"ok": 0, "warning": 1, "critical": 2, "unknown": 3}  # as Nagios has them
SEVERITY: tuple[State, ...] = ("ok", "unknown", "warning", "critical")  # trouble that is known comes before what is not
RUNBOOKS = "docs/runbooks"

# s that a message may wait: a source is waited out by back-off, ours by more workers; each is told of before its SLO
OLDEST = {queue.name: 1_800.0 if queue is EXTRACT else 600.0 for queue in QUEUES}
OUTAGE = 120.0  # s that workers may wait for a part: a failover of the database takes one or two minutes
STARTING = 10  # minutes that a service may take to start from no worker at all
QUARANTINE_SHARE = 0.05  # of a day's records: more is a change of the source or a bug, not a few bad records


@dataclass(frozen=True)
class Rule:
    """What is `wrong` where a reading is over its limit, and how bad that is: a warning can wait for the morning.

    `limits` are the most that is right, by subject; 0 for subjects that nobody can list beforehand. `minutes` is how
    long CloudWatch must see it before it tells, by queue; empty where CloudWatch cannot see it.
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
        """What to do."""
        return f"{RUNBOOKS}/{self.runbook}.md"


@dataclass(frozen=True)
class Measurement:
    """What was measured of a subject for a rule. None is unknown; `note` says why, or what the value does not."""

    rule: str
    subject: str
    value: float | None
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """What a rule says of one subject."""

    rule: Rule
    subject: str
    state: State
    value: float | None
    limit: float
    note: str


@cache
def rules() -> tuple[Rule, ...]:
    """All rules, in the order of the pipeline."""
    nothing = dict.fromkeys([queue.name for queue in QUEUES], 0.0)
    datasets = registry.names()
    stalled = {queue.name: _longest_pause(queue) for queue in QUEUES}
    return (
        Rule(
            "dead-letters", "messages could not be handled", "messages", "warning", "dead-letters",
            nothing, minutes=dict.fromkeys(nothing, 1),  # each is a message that needs a person
        ),
        Rule(
            "oldest", "a message waits for too long", "seconds", "warning", "backlog",
            OLDEST, minutes=dict.fromkeys(OLDEST, 5),  # a restart of the service is over by then
        ),
        Rule(
            "no-progress", "messages wait and none is done", "seconds", "critical", "backlog",
            {name: 60.0 * minutes for name, minutes in stalled.items()}, minutes=stalled,
        ),
        Rule(
            "outage", "workers wait for a part that is away", "seconds", "critical", "database-down",
            dict.fromkeys(nothing, OUTAGE),
        ),
        Rule("freshness", "the newest complete run is old", "seconds", "critical", "stale-data", _freshness(datasets)),
        Rule(
            "quarantine-share", "many of a day's records are in quarantine", "share", "warning", "quarantine",
            dict.fromkeys(datasets, QUARANTINE_SHARE),
        ),
        Rule(
            "conservation", "rejected records are counted but cannot be looked at", "records", "critical", "quarantine",
            dict.fromkeys(datasets, 0.0),
        ),
        Rule(
            "consistency", "the model and the tables of a dataset do not fit together", "records", "critical",
            "dead-letters", dict.fromkeys(datasets, 0.0),
        ),
        Rule("missed-slot", "a schedule did not start its run", "slots", "warning", "missed-schedule"),
    )  # fmt: skip


def evaluate(readings: Iterable[Measurement]) -> list[Verdict]:
    """By rule, then subject. What a rule has a limit for and nobody measured is unknown."""
    found = {(reading.rule, reading.subject): reading for reading in readings}
    return [
        _verdict(rule, found.get((rule.name, subject)) or Measurement(rule.name, subject, None, "was not measured"))
        for rule in rules()
        for subject in sorted({*rule.limits, *(subject for name, subject in found if name == rule.name)})
    ]


def worst(states: Iterable[State]) -> State:
    """The worst of them; ok where there is none."""
    return max(states, key=SEVERITY.index, default="ok")


def as_json() -> str:
    """The rules that CloudWatch can see, as Terraform reads them: limits and minutes by service."""
    return json.dumps({rule.name: dict(_alarms(rule)) for rule in rules() if rule.minutes}, indent=2)


def _alarms(rule: Rule) -> Iterator[tuple[str, object]]:
    yield "runbook", rule.runbook
    for what, values in (("limits", rule.limits), ("minutes", rule.minutes)):
        yield what, {queue.service: int(values[queue.name]) for queue in QUEUES}


def _verdict(rule: Rule, reading: Measurement) -> Verdict:
    limit = rule.limits.get(reading.subject, 0)
    state: State = "ok"
    if reading.value is None:
        state = "unknown"
    elif reading.value > limit:
        state = rule.level
    return Verdict(rule, reading.subject, state, reading.value, limit, reading.note)


def _freshness(datasets: Iterable[str]) -> dict[str, float]:
    found = ((name, registry.dataset(name).freshness) for name in datasets)
    return {name: seconds for name, seconds in found if seconds is not None}


def _longest_pause(queue: Queue) -> int:
    """Minutes between two messages done that a queue may need: its longest task, and a start before that."""
    return ceil(queue.time_limit / 60) + STARTING


if __name__ == "__main__":
    sys.stdout.write(as_json() + "\n")
