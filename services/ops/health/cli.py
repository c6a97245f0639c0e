"""`smelt check`: evaluates the alert rules."""

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from math import isfinite
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from redis import RedisError
from sqlalchemy.exc import DBAPIError

from services.ops.cli import formatting
from services.ops.cli.options import Json
from services.ops.cli.output import plain, printable, say, say_json
from services.ops.health import measurements, rules
from services.ops.health.rules import Measurement, Unit, Verdict
from services.ops.queues import watch
from shared.errors import PermanentError

COLOURS = {"ok": "green", "unknown": "yellow", "warning": "yellow", "critical": "red"}
QUEUE_RULES = ("dead-letters", "oldest", "no-progress", "outage")


def rule_names() -> list[str]:
    """Names for shell completion."""
    return [rule.name for rule in rules.rules()]


Rules = Annotated[
    list[str] | None, typer.Option("--rule", help="only this rule; may be repeated", autocompletion=rule_names)
]


def check(rule: Rules = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Evaluate every alert rule and print one line per rule with a link to its runbook.

    Exit 0 if all is well, 1 for a warning, 2 if something is critical, 3 if something could not be measured and nothing
    else is wrong, as cron and Nagios expect.

    Example: smelt check --rule freshness --rule conservation
    """
    try:
        verdicts = _verdicts(set(rule or rule_names()))
    except (PermanentError, BotoCoreError, ClientError, RedisError, DBAPIError) as error:
        sys.stderr.write(f"smelt: {printable(str(error))}\n")
        raise typer.Exit(rules.EXIT_CODES["unknown"]) from None
    state = rules.worst(verdict.state for verdict in verdicts)
    if as_json:
        say_json({"state": state, "verdicts": [_verdict_json(verdict) for verdict in verdicts]})
    else:
        say(f"[{COLOURS[state]}]{state}[/]")
        for name in dict.fromkeys(rule or rule_names()):
            _say_rule(name, [verdict for verdict in verdicts if verdict.rule.name == name])
    raise typer.Exit(rules.EXIT_CODES[state])


def _verdicts(wanted: set[str]) -> list[Verdict]:
    """Raises PermanentError for an unknown rule."""
    if strange := wanted - set(rule_names()):
        message = f"no rule {', '.join(sorted(strange))}; known: {', '.join(rule_names())}"
        raise PermanentError(message)
    return [verdict for verdict in rules.evaluate(_measured(wanted)) if verdict.rule.name in wanted]


def _measured(wanted: set[str]) -> Iterator[Measurement]:
    if "consistency" in wanted:
        yield from measurements.of_datasets()
    if not (wanted := wanted - {"consistency"}):
        return
    connections = watch.connected()
    if wanted & {*QUEUE_RULES}:
        yield from measurements.of_queues(next(watch.samples(connections, 0)))
    if wanted - {*QUEUE_RULES, "missed-slot"}:
        yield from measurements.of_ledger(connections)
    if "missed-slot" in wanted:
        yield from measurements.of_schedules(connections)


def _say_rule(name: str, verdicts: list[Verdict]) -> None:
    """Print a rule's worst subjects, or the number of subjects if all are well."""
    state = rules.worst(verdict.state for verdict in verdicts)
    line = f"[{COLOURS[state]}]{state:<8}[/]  {name:<16}"
    if state == "ok":
        say(f"{line}  {formatting.counted(len(verdicts), 'subject')}")
        return
    subjects: dict[str, list[str]] = defaultdict(list)
    bad = [verdict for verdict in verdicts if verdict.state != "ok"]
    for verdict in bad:
        subjects[_verdict_text(verdict)].append(plain(verdict.subject))
    summary = "; ".join(f"{', '.join(those)}: {what}" for what, those in subjects.items())
    say(f"{line}  {summary}  [dim]{bad[0].rule.page}[/dim]")


def _verdict_text(verdict: Verdict) -> str:
    note = f" ({plain(verdict.note)})" if verdict.note else ""
    if verdict.value is None:
        return f"unknown{note}"
    if not isfinite(verdict.value):
        return f"{verdict.rule.wrong}{note}"
    measured, most = (_value_text(value, verdict.rule.unit) for value in (verdict.value, verdict.limit))
    return f"{verdict.rule.wrong}: {measured}, at most {most}{note}"


def _value_text(value: float, unit: Unit) -> str:
    return {
        "seconds": lambda: formatting.duration(value),
        "share": lambda: f"{value:.1%}",
    }.get(unit, lambda: f"{value:,.0f}")()


def _verdict_json(verdict: Verdict) -> dict[str, object]:
    """As JSON. Infinite values are null like unknown ones; the state distinguishes them."""
    rule = verdict.rule
    value = verdict.value if verdict.value is not None and isfinite(verdict.value) else None
    fields = {name: value for name, value in asdict(verdict).items() if name not in {"rule", "value"}}
    return {"rule": rule.name, **fields, "value": value, "unit": rule.unit, "wrong": rule.wrong, "runbook": rule.page}
