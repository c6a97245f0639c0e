"""Processing of one message: visibility, span, handler, outcome, log. Handlers contain only business logic."""

import functools
import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from botocore.exceptions import BotoCoreError, ClientError
from celery.signals import worker_process_shutdown

from shared import telemetry
from shared.aws_errors import classified
from shared.config.topology import Queue
from shared.engine import dead_letter
from shared.engine import message as messages
from shared.engine.availability import Availability
from shared.engine.last_resort import LastResort, OverdueError
from shared.engine.message import Message, TooLargeError
from shared.engine.pending_retries import PendingRetry, PendingRetryStore
from shared.engine.records import RecordsFailedError, handle_each
from shared.engine.retry import MessageHistory, MoveToDlq, PutBack, Retry, plan_retry
from shared.engine.visibility import VisibilityExtender
from shared.engine.worker_status import WorkerReporter
from shared.errors import TransientError, UnavailableError
from shared.failpoint import failpoint
from shared.telemetry import metrics

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

log = structlog.get_logger()

MAX_BODY_LENGTH = 4_096  # characters of a body in a worker's status
MAX_REASON_LENGTH = 1_000  # characters of an error in logs and in Redis
STILL_QUEUED = {"retry", "put back", "not settled"}  # outcomes after which the message is still on its queue
Handler = Callable[[Message], str]  # returns the outcome for logs and metrics; `plan_retry` decides on exceptions
OVERDUE_SECONDS = 15.0  # past the time limit; half of the time until the hard limit kills the process


@dataclass(frozen=True)
class MessageContext:
    """What processing a message needs: broker, queue limits, and where to report status.

    With `own_process` the process handles one message at a time and may be ended if a handler does not return.
    """

    sqs: "SQSClient"
    queue: Queue
    pending_retries: PendingRetryStore
    reporter: WorkerReporter
    availability: Availability
    own_process: bool = False


def process_message(context: MessageContext, message: Message, handle: Handler) -> None:
    """Handle one message, then delete it, leave it for a retry, or move it to the DLQ. Raises no Exception.

    Only if the process dies is a message left as it is; SQS delivers it again when its visibility timeout ends.
    """
    _export()
    service = context.queue.service
    started, cpu = time.monotonic(), time.process_time()
    with (
        telemetry.message_span(service, message.attributes, message_id=message.id, receives=message.receives),
        structlog.contextvars.bound_contextvars(message_id=message.id, receives=message.receives),
    ):
        context.reporter.message_started(message)
        outcome = _acknowledge(context, message, handle)
        context.reporter.message_finished(message, settled=outcome not in STILL_QUEUED)
        seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu
        telemetry.set_span_attributes(outcome=outcome)
        metrics.MESSAGES.add(1, {"service": service, "outcome": outcome})
        metrics.DURATION.record(seconds, {"service": service, "outcome": outcome})
        taken = {"seconds": round(seconds, 3), "cpu_seconds": round(cpu_seconds, 3)}
        log.info("message.settled", outcome=outcome, attempts=message.attempts, **taken)


@functools.cache
def _export() -> None:
    """Start exporting telemetry with the first message: pool processes that handle none have nothing to export."""
    if telemetry.export():
        worker_process_shutdown.connect(lambda **_: telemetry.stop(), weak=False)


def _acknowledge(context: MessageContext, message: Message, handle: Handler) -> str:
    try:
        with VisibilityExtender(context.sqs, message, context.queue), _last_resort(context, message):
            failpoint("message.received")
            _wait_until_due(message)
            outcome = handle_each(handle, message)
        messages.delete(context.sqs, message)
        failpoint("message.deleted")
    except Exception as error:  # noqa: BLE001 - all failures are decided on in one place
        with telemetry.record_failure(error):
            return _settle_failure(context, message, error)
    context.availability.report_success()
    context.pending_retries.remove(message)
    return outcome


def _last_resort(context: MessageContext, message: Message) -> AbstractContextManager[object]:
    if not context.own_process:
        return nullcontext()
    limit = context.queue.time_limit
    error = OverdueError(f"still running after {limit} s, and could not be interrupted")
    return LastResort(limit + OVERDUE_SECONDS, lambda: _settle_failure(context, message, error))


def _wait_until_due(message: Message) -> None:
    if (left := message.not_before / 1_000 - time.time()) > 0:
        due = "not due yet"
        raise TransientError(due, after=left)


def _settle_failure(context: MessageContext, message: Message, error: Exception) -> str:
    """Decide on the message, or on each of its failed records; then delete the original unless it is retried."""
    failures = error.failures if isinstance(error, RecordsFailedError) else [(message, error)]
    try:
        outcomes = {_decide(context, part, _classified(why), whole=part is message) for part, why in failures}
        if outcomes != {"retry"}:
            messages.delete(context.sqs, message)
            context.pending_retries.remove(message)
        return ", ".join(sorted(outcomes))
    except Exception as broker_error:  # noqa: BLE001 - the message comes back when its visibility ends
        log.warning("message.not_settled", **_error_fields(broker_error))
        return "not settled"


def _decide(context: MessageContext, message: Message, error: Exception, *, whole: bool) -> str:
    """Retry, put back or dead-letter a message, or one record of it, which continues as a message of its own."""
    _report(context.availability, error)
    sqs, queue, now = context.sqs, context.queue, time.time()
    history = MessageHistory(message.attempts, queue.max_receives, now - message.first_sent / 1_000, queue.retention)
    plan = plan_retry(error, history, random.random())  # noqa: S311 - jitter
    if isinstance(plan, MoveToDlq):
        log.error("message.dead_letter", reason=plan.reason, **_error_fields(error), exc_info=_unexpected(error))
        dead_letter.copy_to_dead_letter_queue(sqs, message, queue.service, error)
        return "dead letter"
    outcome, message_id = _try_again(sqs, message, plan, now, whole=whole)
    log.warning("message.retry", after=round(plan.after, 1), **_error_fields(error))
    context.pending_retries.put(_pending_retry(queue, message, error, message_id, plan.after), plan.after)
    return outcome


def _try_again(
    sqs: "SQSClient", message: Message, plan: Retry | PutBack, now: float, *, whole: bool
) -> tuple[str, str]:
    """Returns the outcome and the id of the message that will be delivered next.

    If a copy would exceed SQS's limits, the original is retried and the attempt counts.
    """
    counted = message.attempts - isinstance(plan, PutBack)
    try:
        if not whole or isinstance(plan, PutBack):
            return "put back", messages.send_copy(sqs, message, plan.after, counted, now)
    except TooLargeError:
        if not whole:
            raise
    messages.change_visibility(sqs, message, min(plan.after, messages.MAX_DELAY_SECONDS))
    return "retry", message.id


def _report(availability: Availability, error: Exception) -> None:
    if isinstance(error, UnavailableError):
        availability.report_failure(error)
    else:
        availability.report_success()


def _classified(error: Exception) -> Exception:
    """Classify boto3 errors that a handler did not: they are about SQS, as S3's are classified where they occur."""
    return classified(error, "queue", "AWS") if isinstance(error, ClientError | BotoCoreError) else error


def _pending_retry(queue: Queue, message: Message, error: Exception, message_id: str, after: float) -> PendingRetry:
    return PendingRetry(
        message_id=message_id,
        body=message.body[:MAX_BODY_LENGTH],
        service=queue.service,
        error=f"{type(error).__name__}: {error}"[:MAX_REASON_LENGTH],
        attempt=message.attempts,
        attempts=queue.max_receives,
        again_at=time.time() + after,
    )


def _error_fields(error: BaseException) -> dict[str, str]:
    return {"error_type": type(error).__name__, "error": str(error)[:MAX_REASON_LENGTH]}


def _unexpected(error: Exception) -> Exception | None:
    """The error, to log its traceback, unless it is one of our own classes."""
    return None if type(error).__module__.startswith(("shared.", "services.")) else error
