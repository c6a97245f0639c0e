"""How much waits on each queue."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.ops.connections import Connections
from shared.engine.message import dead_letter_url
from shared.topology import QUEUES

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True)
class Depth:
    """Messages on a queue: waiting, being worked on, delayed, and dead letters."""

    name: str
    service: str
    visible: int
    in_flight: int
    delayed: int
    dead: int

    @property
    def busy(self) -> bool:
        """Whether anything is still on its way (dead letters are not)."""
        return bool(self.visible or self.in_flight or self.delayed)


def depths(connections: Connections) -> list[Depth]:
    """All queues, in the order of the pipeline. SQS's counts are approximate. Raises what boto3 raises."""
    urls = [connections.settings.queue_url(queue) for queue in QUEUES]
    with ThreadPoolExecutor() as pool:
        work = pool.map(lambda url: _counts(connections.sqs, url), urls)
        dead = pool.map(lambda url: _counts(connections.sqs, dead_letter_url(url)), urls)
        return [
            Depth(queue.name, queue.service, *counts, dead=sum(dead_counts))
            for queue, counts, dead_counts in zip(QUEUES, work, dead, strict=True)
        ]


def _counts(sqs: "SQSClient", url: str) -> tuple[int, int, int]:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return (
        int(answer["ApproximateNumberOfMessages"]),
        int(answer["ApproximateNumberOfMessagesNotVisible"]),
        int(answer["ApproximateNumberOfMessagesDelayed"]),
    )
