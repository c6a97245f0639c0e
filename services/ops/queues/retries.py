"""Pending retries grouped by reason. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.ops.queues.failures import Failure, FailureGroup, group_by_reason
from services.ops.queues.messages import MessageSubject
from shared.config.topology import QUEUES
from shared.engine.pending_retries import PendingRetry

QUEUE_OF = {queue.service: queue.name for queue in QUEUES}


@dataclass(frozen=True)
class RetryGroup:
    """Pending retries of one queue with the same reason.

    `attempt` is the highest so far, of `attempts` before a message becomes a dead letter. `again_at` is the time of the
    next retry, in epoch seconds by the worker's clock.
    """

    queue: str
    error_type: str
    reason: str
    messages: int
    attempt: int
    attempts: int
    again_at: float


def retry_groups(retries: Iterable[PendingRetry]) -> list[RetryGroup]:
    """Groups by queue in pipeline order, then largest first."""
    newest = {retry.message_id: retry for retry in retries if retry.service in QUEUE_OF}
    return [_retry_group(group) for group in group_by_reason(newest.values(), _failure)]


def _retry_group(group: FailureGroup[PendingRetry]) -> RetryGroup:
    return RetryGroup(
        queue=group.queue,
        error_type=group.error_type,
        reason=group.reason,
        messages=len(group.messages),
        attempt=max(retry.attempt for retry in group.messages),
        attempts=max(retry.attempts for retry in group.messages),
        again_at=min(retry.again_at for retry in group.messages),
    )


def _failure(retry: PendingRetry) -> Failure:
    error_type, _, message = retry.error.partition(": ")
    return Failure(QUEUE_OF[retry.service], error_type, message, MessageSubject(retry.body))
