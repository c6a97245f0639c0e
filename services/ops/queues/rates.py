"""Rates of queues from two snapshots. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from services.ops.queues.stats import MessageCounts, QueueSnapshot
from shared.config.topology import QUEUES, Queue
from shared.engine.worker_status import ObservedStatus

Trend = Literal["empty", "shrinking", "steady", "growing", "unknown"]


@dataclass(frozen=True)
class QueueStatus:
    """The status of a queue. Rates are per second, times in seconds; None is unknown.

    `empty_in` is set while the queue shrinks.
    """

    queue: str
    service: str
    visible: int | None
    in_flight: int | None
    delayed: int | None
    dead: int | None
    oldest: float | None
    rate_in: float | None
    rate_out: float | None
    trend: Trend
    empty_in: float | None

    @property
    def total(self) -> int | None:
        """All messages except dead letters, visible or not."""
        counts = (self.visible, self.in_flight, self.delayed)
        return None if None in counts else sum(filter(None, counts))


def queue_statuses(earlier: QueueSnapshot | None, later: QueueSnapshot, ages: Mapping[str, float]) -> list[QueueStatus]:
    """The statuses of all queues in pipeline order. `ages` has the ages of the oldest messages, if known."""
    return [_flow(queue, earlier, later, ages.get(queue.name)) for queue in QUEUES]


def _flow(queue: Queue, earlier: QueueSnapshot | None, later: QueueSnapshot, age: float | None) -> QueueStatus:
    counts, dead = later.work[queue.name], later.dead[queue.name]
    change = _change(queue, earlier, later)
    rate_in, rate_out = _rates(change, _settled_rate(queue, earlier, later))
    return QueueStatus(
        queue=queue.name,
        service=queue.service,
        visible=counts.visible if counts else None,
        in_flight=counts.in_flight if counts else None,
        delayed=counts.delayed if counts else None,
        dead=dead.total if dead else None,
        oldest=0.0 if counts and not counts.total else age,
        rate_in=rate_in,
        rate_out=rate_out,
        trend=_trend(counts, change),
        empty_in=counts.total / -change if counts and change is not None and change < 0 else None,
    )


def _change(queue: Queue, earlier: QueueSnapshot | None, later: QueueSnapshot) -> float | None:
    """The growth of the queue per second."""
    before = earlier.work[queue.name] if earlier else None
    after = later.work[queue.name]
    if earlier is None or before is None or after is None or later.at <= earlier.at:
        return None
    return (after.total - before.total) / (later.at - earlier.at)


def _settled_rate(queue: Queue, earlier: QueueSnapshot | None, later: QueueSnapshot) -> float | None:
    """Messages per second that workers took off the queue, as they report."""
    if earlier is None or earlier.workers is None or later.workers is None or later.at <= earlier.at:
        return None
    elapsed = later.at - earlier.at
    before = {_process(worker): worker.note.settled for worker in _of(queue, earlier.workers)}
    settled = [_settled(before.get(_process(worker)), worker, elapsed) for worker in _of(queue, later.workers)]
    return None if None in settled else sum(filter(None, settled)) / elapsed


def _settled(before: int | None, worker: ObservedStatus, elapsed: float) -> int | None:
    """Messages settled by a process in between; None if it had started before but was not seen."""
    if before is not None:
        return worker.note.settled - before
    return worker.note.settled if worker.seconds_since(worker.note.since) <= elapsed else None


def _rates(change: float | None, settled: float | None) -> tuple[float | None, float | None]:
    """Rates in and out. SQS reports neither; the growth of the queue is their difference.

    At least as many messages left as the queue shrank, even if workers did not report them.
    """
    if change is None or settled is None:
        return None, None
    out = max(settled, -change)
    return change + out, out


def _trend(counts: MessageCounts | None, change: float | None) -> Trend:
    if counts and not counts.total:
        return "empty"
    if counts is None or change is None:
        return "unknown"
    if change == 0:
        return "steady"
    return "growing" if change > 0 else "shrinking"


def _of(queue: Queue, workers: Iterable[ObservedStatus]) -> list[ObservedStatus]:
    return [worker for worker in workers if worker.note.service == queue.service]


def _process(worker: ObservedStatus) -> tuple[str, int, float]:
    return worker.note.host, worker.note.pid, worker.note.since
