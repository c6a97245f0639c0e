"""Snapshots of all queues and workers. None is unknown."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from redis import RedisError

from services.ops.connections import Connections
from shared.config.topology import QUEUES, Queue
from shared.engine.message import dead_letter_url
from shared.engine.pending_retries import PendingRetry
from shared.engine.worker_status import ObservedStatus

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDataQueryTypeDef, MetricTypeDef
    from mypy_boto3_sqs import SQSClient

T = TypeVar("T")

AGE_LOOKS_BACK = timedelta(minutes=10)  # CloudWatch has one value a minute, some minutes late
AGE_METRIC = "ApproximateAgeOfOldestMessage"
SILENT_AFTER_SECONDS = 8.0  # without a report of a worker: it missed at least one


@dataclass(frozen=True)
class MessageCounts:
    """Messages of one queue; approximate, as SQS reports them."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        """The sum."""
        return self.visible + self.in_flight + self.delayed


@dataclass(frozen=True)
class QueueSnapshot:
    """A snapshot at a monotonic time. None is unknown; `problems` has the reasons."""

    at: float
    work: Mapping[str, MessageCounts | None]  # by queue name in the topology
    dead: Mapping[str, MessageCounts | None]  # dead letters, likewise
    workers: list[ObservedStatus] | None
    problems: tuple[str, ...] = ()
    retries: tuple[PendingRetry, ...] | None = ()  # what failed and will be tried again


def queue_counts(connections: Connections, queues: Sequence[Queue] = QUEUES) -> dict[str, MessageCounts]:
    """{queue: counts}. Raises boto3's errors."""
    return _all(connections.sqs, {queue.name: connections.settings.queue_url(queue) for queue in queues})


def dead_letter_counts(connections: Connections) -> dict[str, MessageCounts]:
    """{queue: counts of its dead-letter queue}. Raises boto3's errors."""
    urls = {queue.name: dead_letter_url(connections.settings.queue_url(queue)) for queue in QUEUES}
    return _all(connections.sqs, urls)


def take_snapshot(connections: Connections) -> QueueSnapshot:
    """Measure everything concurrently. Unavailable parts are unknown."""
    urls = {queue.name: connections.settings.queue_url(queue) for queue in QUEUES}
    problems: list[str] = []
    with ThreadPoolExecutor(2 * len(urls) + 2) as pool:
        count = partial(partial, _counts, connections.sqs)
        work = {name: pool.submit(_or_unknown, problems, count(url)) for name, url in urls.items()}
        dead = {name: pool.submit(_or_unknown, problems, count(dead_letter_url(url))) for name, url in urls.items()}
        workers = pool.submit(_or_unknown, problems, connections.roster.current)
        retries = pool.submit(_or_unknown, problems, lambda: tuple(connections.pending_retries.current()))
    return QueueSnapshot(
        at=monotonic(),
        work={name: counted.result() for name, counted in work.items()},
        dead={name: counted.result() for name, counted in dead.items()},
        workers=workers.result(),
        problems=tuple(dict.fromkeys(problems)),
        retries=retries.result(),
    )


def oldest_ages(cloudwatch: "CloudWatchClient", connections: Connections) -> dict[str, float]:
    """{queue: age of its oldest message in seconds} from CloudWatch, without unknown ones."""
    names = [queue.name for queue in QUEUES]
    queries = [_age_query(f"q{n}", connections.settings.queue_url(queue)) for n, queue in enumerate(QUEUES)]
    now = datetime.now(UTC)
    try:
        response = cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=now - AGE_LOOKS_BACK, EndTime=now)
    except (BotoCoreError, ClientError):  # the emulator, or missing permission
        return {}
    return {
        names[int(result["Id"][1:])]: max(zip(result["Timestamps"], result["Values"], strict=True))[1]
        for result in response["MetricDataResults"]
        if result["Values"]
    }


def _age_query(identity: str, url: str) -> "MetricDataQueryTypeDef":
    dimension: DimensionTypeDef = {"Name": "QueueName", "Value": url.rpartition("/")[2]}
    metric: MetricTypeDef = {"Namespace": "AWS/SQS", "MetricName": AGE_METRIC, "Dimensions": [dimension]}
    return {"Id": identity, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}


def _all(sqs: "SQSClient", urls: Mapping[str, str]) -> dict[str, MessageCounts]:
    with ThreadPoolExecutor(len(urls)) as pool:
        return dict(zip(urls, pool.map(partial(_counts, sqs), urls.values()), strict=True))


def _counts(sqs: "SQSClient", url: str) -> MessageCounts:
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return MessageCounts(
        visible=int(attributes["ApproximateNumberOfMessages"]),
        in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        delayed=int(attributes["ApproximateNumberOfMessagesDelayed"]),
    )


def _or_unknown(problems: list[str], measure: Callable[[], T]) -> T | None:
    try:
        return measure()
    except (BotoCoreError, ClientError, RedisError) as error:
        problems.append(f"{'Redis' if isinstance(error, RedisError) else 'SQS'}: {error}")
        return None
