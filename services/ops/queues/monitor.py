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

WINDOW: Final = 5  # looks that rates are measured over, so that one odd second does not shake them
MOST: Final = 600  # moments remembered of a queue: ten minutes to plot, where somebody looks once a second
AGES_LAST: Final = 60.0  # s; CloudWatch has a value a minute, and is paid for each answer

TimedStatus = tuple[datetime, QueueStatus]


@dataclass(frozen=True)
class Sample:
    """A look, the one that rates are measured from, what both say of the queues, and when it was."""

    at: datetime
    look: QueueSnapshot
    earlier: QueueSnapshot | None
    flows: tuple[QueueStatus, ...]


class QueueMonitor:
    """Remembers looks; call it from any thread. `ages` gives how long the oldest messages have waited."""

    def __init__(self, look: Callable[[], QueueSnapshot], ages: Callable[[], Mapping[str, float]]) -> None:
        self._look, self._ages = look, ages
        self._looks: deque[QueueSnapshot] = deque(maxlen=WINDOW)
        self._history: Mapping[str, deque[TimedStatus]] = {queue.name: deque(maxlen=MOST) for queue in QUEUES}
        self._lock = Lock()

    def beat(self) -> Sample:
        """A new look."""
        look, ages, at = self._look(), self._ages(), datetime.now(UTC)
        with self._lock:
            earlier = self._looks[0] if self._looks else None
            self._looks.append(look)
            found = tuple(queue_statuses(earlier, look, ages))
            for flow in found:
                self._history[flow.queue].append((at, flow))
        return Sample(at, look, earlier, found)

    def history(self) -> Mapping[str, tuple[TimedStatus, ...]]:
        """What was seen of each queue, the oldest first."""
        with self._lock:
            return {name: tuple(moments) for name, moments in self._history.items()}


def monitor_of(connections: Connections, cloudwatch: "CloudWatchClient", patience: float) -> QueueMonitor:
    """The monitor of a deployment; a sample waits `patience` seconds for CloudWatch at most."""
    ages = CachedProbe(
        "ages", lambda: stats.oldest_ages(cloudwatch, connections), rest=AGES_LAST, lasting=2 * AGES_LAST
    )

    def known() -> Mapping[str, float]:
        found = ages.read(monotonic() + patience)
        return found.value if isinstance(found, Measured) else {}

    return QueueMonitor(lambda: stats.take_snapshot(connections), known)
