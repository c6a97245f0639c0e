"""Checks of the queue's configuration before a worker starts."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from shared.config.topology import Queue
from shared.engine.message import dead_letter_url
from shared.errors import PermanentError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def check_queue(sqs: "SQSClient", url: str, queue: Queue) -> None:
    """Raises PermanentError unless the queue and its DLQ exist and match the limits of the topology."""
    attributes = _attributes(sqs, url)
    _attributes(sqs, dead_letter_url(url))
    visibility = int(attributes["VisibilityTimeout"])
    if visibility < queue.visibility:
        _fail(
            f"{url} has a visibility of {visibility} s; a time limit of {queue.time_limit} s and a heartbeat every"
            f" {queue.visibility / 3:.0f} s need {queue.visibility} s"
        )
    policy = json.loads(attributes.get("RedrivePolicy", "{}"))
    target = str(policy.get("deadLetterTargetArn", "")).rpartition(":")[2]
    if target != dead_letter_url(url).rpartition("/")[2]:
        _fail(f"{url} has no redrive policy to its dead-letter queue; a message that kills workers would loop")
    if int(policy["maxReceiveCount"]) < queue.max_receives:
        _fail(f"{url} redrives after {policy['maxReceiveCount']} receives; the retry policy needs {queue.max_receives}")


def _attributes(sqs: "SQSClient", url: str) -> Mapping[Any, str]:
    try:
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    except ClientError as error:
        _fail(f"{url}: {error.response['Error']['Code']}: the queue does not exist, or its attributes may not be read")
    except BotoCoreError as error:
        _fail(f"{url}: SQS cannot be reached: {error}")


def _fail(message: str) -> NoReturn:
    raise PermanentError(message)
