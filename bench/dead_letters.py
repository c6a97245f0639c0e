"""What an operator's commands cost with many dead letters: to list them, filter them, and send all of them again."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.stack import Rig
from shared.config.topology import UPLOADS
from shared.engine.message import dead_letter_url
from shared.formats.s3_events import created_event
from shared.storage.object_id import ObjectId

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef, SendMessageBatchRequestEntryTypeDef

BATCH = 10  # messages that SQS takes at a time
COMMANDS = {
    "list": ("list", "--json"),
    "filter": ("list", "--error", "line 7", "--json"),
    "replay": ("replay", "--yes", "--json"),
}


@dataclass(frozen=True)
class Cost:
    """Of one command: seconds on the clock, CPU seconds of its own, and its peak memory in bytes."""

    command: str
    seconds: float
    cpu: float
    peak: int


def measure(rig: Rig, letters: int) -> tuple[Cost, ...]:
    """Put so many dead letters on one queue, and run `smelt dlq` over them. The replayed messages are dropped."""
    for start in range(0, letters, BATCH):
        _bury(rig, range(start, min(letters, start + BATCH)))
    costs = tuple(_cost(name, arguments) for name, arguments in COMMANDS.items())
    rig.sqs.purge_queue(QueueUrl=rig.settings.queue_url(UPLOADS))
    return costs


def _bury(rig: Rig, numbers: range) -> None:
    entries: list[SendMessageBatchRequestEntryTypeDef] = [
        {
            "Id": str(number),
            "MessageBody": created_event(ObjectId(rig.bucket, f"uploads/reference_table/{number}.csv", "v", "e")),
            "MessageAttributes": {
                "error_type": _attribute("PermanentError"),
                "error_message": _attribute(f"line {number % 100}: not the columns of this dataset"),
            },
        }
        for number in numbers
    ]
    rig.sqs.send_message_batch(QueueUrl=dead_letter_url(rig.settings.queue_url(UPLOADS)), Entries=entries)


def _attribute(value: str) -> "MessageAttributeValueTypeDef":
    return {"DataType": "String", "StringValue": value}


def _cost(name: str, arguments: tuple[str, ...]) -> Cost:
    """Raises RuntimeError where the command fails."""
    command = [str(Path(sys.executable).parent / "smelt"), "dlq", *arguments]
    began = time.monotonic()
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
    _, status, used = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        message = f"smelt dlq {name} ended with {started.returncode}"
        raise RuntimeError(message)
    return Cost(name, time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)
