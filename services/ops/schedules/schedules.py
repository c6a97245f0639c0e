"""Schedules in EventBridge Scheduler, or its emulator.

Each sends a run command whose trigger names the schedule and whose slot is its scheduled time. Schedules created by
Terraform can be paused here until the next `terraform apply`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from services.ops import operator_log
from services.ops.connections import Connections, remember_schedules
from services.ops.operator_log import ActionResult
from services.ops.runs import runs
from services.ops.schedules import cron
from shared.config.topology import EXTRACT
from shared.datasets import registry
from shared.errors import PermanentError
from shared.formats.commands import SCHEDULED_TIME, TRIGGER, RunCommand, parse_command

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_scheduler.literals import ScheduleStateType
    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef, TargetTypeDef

GROUP = "smelt"  # schedule group; Terraform creates the same
ROLE = "smelt-scheduler-runs"  # may send to the extract queue; likewise
MAX_AGE_SECONDS, MAX_ATTEMPTS = 3_600, 30  # s and attempts of Scheduler to send a command; likewise


@dataclass(frozen=True)
class Schedule:
    """A schedule. `since` is its last modification, before which no slot counts as missed."""

    name: str
    command: RunCommand
    expression: str
    timezone: str
    enabled: bool
    created: datetime
    since: datetime


def find_all(scheduler: "EventBridgeSchedulerClient") -> list[Schedule]:
    """The schedules that start runs, by name. Raises boto3's errors."""
    pages = scheduler.get_paginator("list_schedules").paginate(GroupName=GROUP)
    names = [schedule["Name"] for page in pages for schedule in page["Schedules"] if _is_run(schedule["Target"]["Arn"])]
    return [_schedule(scheduler.get_schedule(GroupName=GROUP, Name=name)) for name in sorted(names)]


def find(scheduler: "EventBridgeSchedulerClient", name: str) -> Schedule:
    """The schedule with this name. Raises PermanentError."""
    return _schedule(_definition(scheduler, name))


def add(  # noqa: PLR0913, PLR0917 - what a schedule is
    connections: Connections,
    name: str,
    dataset: str,
    params: dict[str, str],
    expression: str,
    timezone: str,
) -> None:
    """Create a schedule. Raises PermanentError for invalid values or an existing name."""
    cron.check(expression, timezone)
    checked = registry.dataset(dataset).source.checked(params)
    run = RunCommand(dataset=dataset, params=checked, trigger=TRIGGER + name, scheduled_for=SCHEDULED_TIME)
    _ensure_group(connections.scheduler)
    try:
        connections.scheduler.create_schedule(
            GroupName=GROUP,
            Name=name,
            ScheduleExpression=expression,
            ScheduleExpressionTimezone=timezone,
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE" if expression.startswith("at(") else "NONE",
            Target=_target(connections, run),
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConflictException":
            raise
        message = f"there is a schedule {name} already"
        raise PermanentError(message) from None
    remember_schedules()


def set_enabled(connections: Connections, name: str, *, enabled: bool) -> ActionResult:
    """Pause or resume a schedule, and record the action. Raises PermanentError if it does not exist."""
    given: Any = dict(_definition(connections.scheduler, name))
    for answered in ("ResponseMetadata", "Arn", "CreationDate", "LastModificationDate"):
        given.pop(answered, None)
    state: ScheduleStateType = "ENABLED" if enabled else "DISABLED"
    action = ("resume", "resumed") if enabled else ("pause", "paused")
    with _recorded(connections, name, *action) as tally:
        connections.scheduler.update_schedule(**given | {"State": state})
        remember_schedules()
    return tally


def remove(connections: Connections, name: str) -> ActionResult:
    """Delete a schedule, and record the action; its runs remain. Raises PermanentError if it does not exist."""
    find(connections.scheduler, name)
    with _recorded(connections, name, "remove", "removed") as tally:
        connections.scheduler.delete_schedule(GroupName=GROUP, Name=name)
        remember_schedules()
    return tally


def run_now(connections: Connections, name: str) -> tuple[str, ActionResult]:
    """Start a run without a slot, and record the action; returns the run's id. Raises PermanentError."""
    command = find(connections.scheduler, name).command.model_copy(update={"scheduled_for": None})
    with _recorded(connections, name, "run-now", "run now") as tally:
        run_id = runs.send(connections, command)
    return run_id, tally


@contextmanager
def _recorded(connections: Connections, name: str, action: str, verb: str) -> Iterator[ActionResult]:
    what = {"action": action, "schedule": name}
    with operator_log.record_action(connections.database, "schedule", verb, what, 1) as tally:
        yield tally
        tally.done = 1


def _schedule(definition: "GetScheduleOutputTypeDef") -> Schedule:
    command = parse_command(definition["Target"].get("Input", ""))
    if not isinstance(command, RunCommand):
        message = f"schedule {definition['Name']} starts no run"
        raise PermanentError(message)
    return Schedule(
        name=definition["Name"],
        command=command,
        expression=definition["ScheduleExpression"],
        timezone=definition.get("ScheduleExpressionTimezone") or "UTC",
        enabled=definition["State"] == "ENABLED",
        created=definition["CreationDate"],
        since=definition["LastModificationDate"],
    )


def _definition(scheduler: "EventBridgeSchedulerClient", name: str) -> "GetScheduleOutputTypeDef":
    """The definition of a schedule that starts runs; others are not managed here."""
    try:
        definition = scheduler.get_schedule(GroupName=GROUP, Name=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        definition = None
    if definition is None or not _is_run(definition["Target"]["Arn"]):
        message = f"no schedule {name}: see `smelt schedules list`"
        raise PermanentError(message)
    return definition


def _target(connections: Connections, run: RunCommand) -> "TargetTypeDef":
    """The target: the extract queue, with its DLQ for commands that cannot be delivered."""
    url = connections.settings.extract_queue_url
    arn = connections.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    _, partition, _, _, account, _ = arn.split(":")
    return {
        "Arn": arn,
        "RoleArn": f"arn:{partition}:iam::{account}:role/{ROLE}",
        "Input": run.model_dump_json(exclude={"run_id"}),
        "RetryPolicy": {"MaximumEventAgeInSeconds": MAX_AGE_SECONDS, "MaximumRetryAttempts": MAX_ATTEMPTS},
        "DeadLetterConfig": {"Arn": f"{arn}-dlq"},
    }


def _is_run(target_arn: str) -> bool:
    return target_arn.endswith(f":{EXTRACT.name}")


def _ensure_group(scheduler: "EventBridgeSchedulerClient") -> None:
    """Create the group if it does not exist, as in the emulator."""
    try:
        scheduler.get_schedule_group(Name=GROUP)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        scheduler.create_schedule_group(Name=GROUP)
