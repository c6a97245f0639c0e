"""Schedules of the emulator, kept in a file of ours: it saves its own only when it is stopped in order."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

from infra.embedded import aws
from infra.embedded.process import write_privately

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

FILE: Final = "schedules.json"
ANSWERED: Final = ("ResponseMetadata", "Arn", "CreationDate", "LastModificationDate")  # by Scheduler, not given to it


def remember(folder: Path, port: int, secret_key: str) -> None:
    """Write down the schedules as they are now."""
    scheduler = _client(port, secret_key)
    found = scheduler.list_schedules()["Schedules"]
    kept = [scheduler.get_schedule(GroupName=one["GroupName"], Name=one["Name"]) for one in found]
    given = [{name: value for name, value in one.items() if name not in ANSWERED} for one in kept]
    write_privately(folder / FILE, json.dumps(given, indent=2, default=str))


def restore(folder: Path, port: int, secret_key: str) -> None:
    """Make those again that the emulator does not have."""
    file = folder / FILE
    kept: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    scheduler = _client(port, secret_key) if kept else None
    for one in kept:
        if not _is_over(one["ScheduleExpression"]):
            _ensure(scheduler, one)


def _is_over(expression: str) -> bool:
    """Whether it was for one moment, which has passed: the emulator would start it again."""
    found = re.fullmatch(r"at\((.+)\)", expression)
    return found is not None and datetime.fromisoformat(found[1]).replace(tzinfo=UTC) < datetime.now(UTC)


def _ensure(scheduler: Any, schedule: dict[str, Any]) -> None:
    for make, given in (
        (scheduler.create_schedule_group, {"Name": schedule["GroupName"]}),
        (scheduler.create_schedule, schedule),
    ):
        try:
            make(**given)
        except scheduler.exceptions.ConflictException:  # it is there
            continue


def _client(port: int, secret_key: str) -> "EventBridgeSchedulerClient":
    session = boto3.Session(aws_access_key_id=aws.ACCESS_KEY, aws_secret_access_key=secret_key, region_name=aws.REGION)
    return session.client("scheduler", endpoint_url=aws.endpoint(port), config=Config(proxies={}))
