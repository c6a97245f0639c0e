"""Repeated snapshots of queues and workers: rates between two of them, and the history of the last minutes."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Final

from services.ops.connections import Connections
from services.ops.probe import CachedProbe, Measured
from services.ops.queues import stats
from services.ops.queues.rates import QueueStatus, queue_statuses
from services.ops.queues.stats import QueueSnapshot
from shared.config.topology import QUEUES

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

RATE_WINDOW: Final = 5  # samples over which rates are measured, to smooth outliers
MAX_HISTORY: Final = 600  # samples kept per queue: ten minutes at one per second
AGES_LAST: Final = 60.0  # s; CloudWatch has one value a minute, and bills each request

TimedStatus = tuple[datetime, QueueStatus]


@dataclass(frozen=True)
class Sample:
    """A snapshot, the earlier one for rates, the resulting statuses, and the time."""

    at: datetime
    snapshot: QueueSnapshot
    earlier: QueueSnapshot | None
    statuses: tuple[QueueStatus, ...]


class QueueMonitor:
    """Takes snapshots and keeps their history. Thread-safe. `ages` returns the ages of the oldest messages."""

    def __init__(self, look: Callable[[], QueueSnapshot], ages: Callable[[], Mapping[str, float]]) -> None:
        self._look, self._ages = look, ages
        self._looks: deque[QueueSnapshot] = deque(maxlen=RATE_WINDOW)
        self._history: Mapping[str, deque[TimedStatus]] = {queue.name: deque(maxlen=MAX_HISTORY) for queue in QUEUES}
        self._lock = Lock()

    def sample(self) -> Sample:
        """Take a snapshot."""
        snapshot, ages, at = self._look(), self._ages(), datetime.now(UTC)
        with self._lock:
            earlier = self._looks[0] if self._looks else None
            self._looks.append(snapshot)
            statuses = tuple(queue_statuses(earlier, snapshot, ages))
            for status in statuses:
                self._history[status.queue].append((at, status))
        return Sample(at, snapshot, earlier, statuses)

    def history(self) -> Mapping[str, tuple[TimedStatus, ...]]:
        """The statuses of each queue, oldest first."""
        with self._lock:
            return {name: tuple(moments) for name, moments in self._history.items()}


def monitor_of(connections: Connections, cloudwatch: "CloudWatchClient", patience: float) -> QueueMonitor:
    """The monitor of a deployment; a sample waits at most `patience` seconds for CloudWatch."""
    ages = CachedProbe(
        "ages", lambda: stats.oldest_ages(cloudwatch, connections), rest=AGES_LAST, lasting=2 * AGES_LAST
    )

    def latest_ages() -> Mapping[str, float]:
        result = ages.read(monotonic() + patience)
        return result.value if isinstance(result, Measured) else {}

    return QueueMonitor(lambda: stats.take_snapshot(connections), latest_ages)
