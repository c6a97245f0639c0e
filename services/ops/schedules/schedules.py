"""Schedules: what EventBridge Scheduler, or the emulator in its place, puts on the extract queue and when.

Each is a run command whose trigger names the schedule and whose slot is the time that was meant. In AWS those that
Terraform made can be paused here, but the next `terraform apply` has the last word.
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

GROUP = "smelt"  # of schedules; Terraform makes the same
ROLE = "smelt-scheduler-runs"  # may send to the extract queue; likewise
LONGEST_LIFE, MOST_TRIES = 3_600, 30  # s and times that Scheduler tries to put a command on the queue; likewise


@dataclass(frozen=True)
class Schedule:
    """What runs when. `since` is when it became what it is: what was to be before it cannot have been missed."""

    name: str
    command: RunCommand
    expression: str
    timezone: str
    enabled: bool
    created: datetime
    since: datetime


def find_all(scheduler: "EventBridgeSchedulerClient") -> list[Schedule]:
    """Those that start runs, by name. Raises what boto3 raises."""
    pages = scheduler.get_paginator("list_schedules").paginate(GroupName=GROUP)
    names = [found["Name"] for page in pages for found in page["Schedules"] if _is_run(found["Target"]["Arn"])]
    return [_schedule(scheduler.get_schedule(GroupName=GROUP, Name=name)) for name in sorted(names)]


def find(scheduler: "EventBridgeSchedulerClient", name: str) -> Schedule:
    """The one of that name. Raises PermanentError."""
    return _schedule(_definition(scheduler, name))


def add(  # noqa: PLR0913, PLR0917 - what a schedule is
    connections: Connections,
    name: str,
    dataset: str,
    params: dict[str, str],
    expression: str,
    timezone: str,
) -> None:
    """Make a new one. Raises PermanentError for what cannot be meant, or a name that is taken."""
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
    """Pause or resume one, on record. Raises PermanentError where there is none of that name."""
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
    """Delete one, on record; its runs stay. Raises PermanentError where there is none of that name."""
    find(connections.scheduler, name)
    with _recorded(connections, name, "remove", "removed") as tally:
        connections.scheduler.delete_schedule(GroupName=GROUP, Name=name)
        remember_schedules()
    return tally


def run_now(connections: Connections, name: str) -> tuple[str, ActionResult]:
    """Put its command on the extract queue, for no slot, on record; the run's id comes back. Raises PermanentError."""
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


def _schedule(found: "GetScheduleOutputTypeDef") -> Schedule:
    told = parse_command(found["Target"].get("Input", ""))
    if not isinstance(told, RunCommand):
        message = f"schedule {found['Name']} starts no run"
        raise PermanentError(message)
    return Schedule(
        name=found["Name"],
        command=told,
        expression=found["ScheduleExpression"],
        timezone=found.get("ScheduleExpressionTimezone") or "UTC",
        enabled=found["State"] == "ENABLED",
        created=found["CreationDate"],
        since=found["LastModificationDate"],
    )


def _definition(scheduler: "EventBridgeSchedulerClient", name: str) -> "GetScheduleOutputTypeDef":
    """Of one that starts runs: others, as Terraform makes them, are none of ours."""
    try:
        found = scheduler.get_schedule(GroupName=GROUP, Name=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        found = None
    if found is None or not _is_run(found["Target"]["Arn"]):
        message = f"no schedule {name}: see `smelt schedules list`"
        raise PermanentError(message)
    return found


def _target(connections: Connections, run: RunCommand) -> "TargetTypeDef":
    """The extract queue; what cannot be put there becomes a dead letter like any other command."""
    url = connections.settings.extract_queue_url
    arn = connections.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    _, partition, _, _, account, _ = arn.split(":")
    return {
        "Arn": arn,
        "RoleArn": f"arn:{partition}:iam::{account}:role/{ROLE}",
        "Input": run.model_dump_json(exclude={"run_id"}),
        "RetryPolicy": {"MaximumEventAgeInSeconds": LONGEST_LIFE, "MaximumRetryAttempts": MOST_TRIES},
        "DeadLetterConfig": {"Arn": f"{arn}-dlq"},
    }


def _is_run(target_arn: str) -> bool:
    return target_arn.endswith(f":{EXTRACT.name}")


def _ensure_group(scheduler: "EventBridgeSchedulerClient") -> None:
    """Terraform makes it; the emulator starts without."""
    try:
        scheduler.get_schedule_group(Name=GROUP)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        scheduler.create_schedule_group(Name=GROUP)
