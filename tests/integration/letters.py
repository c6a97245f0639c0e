"""Dead letters on real queues: how tests of them put them there and count what is left."""

import json
from collections import Counter
from typing import Any

from services.ops.connections import Connections
from services.ops.dlq import dead_letters
from services.ops.dlq.dead_letters import DeadLetter
from services.ops.dlq.filters import DeadLetterFilter
from shared.config.topology import BRONZE, QUEUES, Queue
from shared.engine.message import dead_letter_url

REASON = {
    "error_type": "PermanentError",
    "error_message": "no such rule",
    "source_queue": "smelt-bronze",
    "attempts": "1",
}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def purge(connections: Connections) -> None:
    for queue in QUEUES:
        url = connections.settings.queue_url(queue)
        connections.sqs.purge_queue(QueueUrl=url)
        connections.sqs.purge_queue(QueueUrl=dead_letter_url(url))


def bury(connections: Connections, body: str, queue: Queue = BRONZE, /, **attributes: str) -> str:
    """A dead letter; its id."""
    values: Any = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    url = dead_letter_url(connections.settings.queue_url(queue))
    return connections.sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=values)["MessageId"]


def body(number: int) -> str:
    """A body whose bytes a careless way through JSON would change."""
    return f'{{ "number" : {number},  "é": "\\u00e9" }}\n'


def seen(connections: Connections, asked: DeadLetterFilter | None = None) -> list[DeadLetter]:
    chosen = asked or DeadLetterFilter()
    return chosen.select(dead_letters.survey(connections, chosen.queues, most=10_000, patience=1).letters, now=1e12)


def waiting(connections: Connections, queue: Queue = BRONZE) -> list[dict[str, Any]]:
    """What is visible on a work queue: body and attributes."""
    url, found = connections.settings.queue_url(queue), []
    while messages := connections.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0, VisibilityTimeout=30, MessageAttributeNames=["All"]
    ).get("Messages"):
        found += messages
    for message in found:
        connections.sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
    return [
        {"body": m["Body"], **{k: v["StringValue"] for k, v in m.get("MessageAttributes", {}).items()}} for m in found
    ]


def visible_dead(connections: Connections, queue: Queue = BRONZE) -> int:
    """Dead letters that anybody could receive at this moment."""
    return _counts(connections, dead_letter_url(connections.settings.queue_url(queue)))[0]


def dead(connections: Connections, queue: Queue = BRONZE) -> int:
    """Dead letters, hidden or not."""
    return sum(_counts(connections, dead_letter_url(connections.settings.queue_url(queue))))


def sent(connections: Connections, queue: Queue = BRONZE) -> int:
    """Messages on a work queue, counted without receiving them: that would count towards their death."""
    return sum(_counts(connections, connections.settings.queue_url(queue)))


def numbers(bodies: list[str]) -> Counter[int]:
    return Counter(json.loads(text)["number"] for text in bodies)


def _counts(connections: Connections, url: str) -> tuple[int, int]:
    found = connections.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])
