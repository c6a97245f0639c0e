"""Why messages wait: those that failed and will be tried again, together where they failed alike. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.ops.dlq import filters
from services.ops.dlq.dead_letters import DeadLetter
from shared.config.topology import QUEUES
from shared.engine.pending_retries import PendingRetry

QUEUE_OF = {queue.service: queue.name for queue in QUEUES}


@dataclass(frozen=True)
class RetryGroup:
    """Messages of one queue that failed for the same reason.

    `attempt` is the most that any of them has had, of `attempts` before it is a dead letter; `again_at` is when the
    first of them is tried again, in epoch seconds by the clock of its worker.
    """

    queue: str
    error_type: str
    reason: str
    messages: int
    attempt: int
    attempts: int
    again_at: float


def waits(troubles: Iterable[PendingRetry]) -> list[RetryGroup]:
    """By queue in the order of the pipeline, then by reason, most messages first."""
    known = {trouble.message_id: trouble for trouble in troubles if trouble.service in QUEUE_OF}
    return [
        _wait(group, [known[letter.id] for letter in group.letters])
        for group in filters.grouped(map(_letter, known.values()))
    ]


def _wait(group: filters.Group, troubles: list[PendingRetry]) -> RetryGroup:
    return RetryGroup(
        queue=group.queue,
        error_type=group.error_type,
        reason=group.reason,
        messages=len(troubles),
        attempt=max(trouble.attempt for trouble in troubles),
        attempts=max(trouble.attempts for trouble in troubles),
        again_at=min(trouble.again_at for trouble in troubles),
    )


def _letter(trouble: PendingRetry) -> DeadLetter:
    """As the dead letter that it may become."""
    kind, _, told = trouble.error.partition(": ")
    return DeadLetter(QUEUE_OF[trouble.service], trouble.message_id, trouble.body, kind, told, str(trouble.attempt))
