"""The wrapper round every message: lease, span, outcome, log line. Handlers are only business."""

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
from shared.engine.records import SomeFailedError, handle_each
from shared.engine.retry import DeadLetter, PutBack, Retry, Tried, plan_retry
from shared.engine.visibility import VisibilityExtender
from shared.engine.worker_status import WorkerReporter
from shared.errors import TransientError, UnavailableError
from shared.failpoint import failpoint
from shared.telemetry import metrics

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

log = structlog.get_logger()

LONGEST_NOTE = 4_096  # characters of a body kept in a note
LONGEST_REASON = 1_000  # characters of an error in logs and notes
STILL_QUEUED = {"again", "put back", "not settled"}  # outcomes of which the message comes back
Handler = Callable[[Message], str]  # the outcome in one word, for logs and metrics; raises what `plan_retry` decides on
OVERDUE = 15.0  # s past the time limit, half of what is left until the process is killed


@dataclass(frozen=True)
class MessageContext:
    """What settling a message takes: the broker, the queue's limits, and where to note what happens to it.

    With `own_process` the process does nothing else and may be ended where a handler does not end.
    """

    sqs: "SQSClient"
    queue: Queue
    trouble: PendingRetryStore
    presence: WorkerReporter
    availability: Availability
    own_process: bool = False


def process_message(delivery: MessageContext, message: Message, handle: Handler) -> None:
    """Handle one message and settle it: deleted, shown again later, or buried with its reason. Never raises Exception.

    Only a process that dies leaves a message unsettled; SQS then shows it again when its visibility ends.
    """
    _export()
    service = delivery.queue.service
    started, cpu = time.monotonic(), time.process_time()
    with (
        telemetry.of_message(service, message.attributes, message_id=message.id, receives=message.receives),
        structlog.contextvars.bound_contextvars(message_id=message.id, receives=message.receives),
    ):
        delivery.presence.begins(message)
        outcome = _acknowledge(delivery, message, handle)
        delivery.presence.ends(message, settled=outcome not in STILL_QUEUED)
        seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu
        telemetry.set_span_attributes(outcome=outcome)
        metrics.MESSAGES.add(1, {"service": service, "outcome": outcome})
        metrics.DURATION.record(seconds, {"service": service, "outcome": outcome})
        taken = {"seconds": round(seconds, 3), "cpu_seconds": round(cpu_seconds, 3)}
        log.info("message.settled", outcome=outcome, attempts=message.attempts, **taken)


@functools.cache
def _export() -> None:
    """Begun with the first message: of a pool's processes, only those that handle messages have something to tell."""
    if telemetry.export():
        worker_process_shutdown.connect(lambda **_: telemetry.stop(), weak=False)


def _acknowledge(delivery: MessageContext, message: Message, handle: Handler) -> str:
    try:
        with VisibilityExtender(delivery.sqs, message, delivery.queue), _last_resort(delivery, message):
            failpoint("message.received")
            _wait_until_due(message)
            outcome = handle_each(handle, message)
        messages.delete(delivery.sqs, message)
        failpoint("message.deleted")
    except Exception as error:  # noqa: BLE001 - every failure is a decision, made in one place
        with telemetry.record_failure(error):
            return _settle_failure(delivery, message, error)
    delivery.availability.worked()
    delivery.trouble.settled(message)
    return outcome


def _last_resort(delivery: MessageContext, message: Message) -> AbstractContextManager[object]:
    if not delivery.own_process:
        return nullcontext()
    limit = delivery.queue.time_limit
    error = OverdueError(f"not done after {limit} s, and nothing stopped it")
    return LastResort(limit + OVERDUE, lambda: _settle_failure(delivery, message, error))


def _wait_until_due(message: Message) -> None:
    if (left := message.not_before / 1_000 - time.time()) > 0:
        due = "not due yet"
        raise TransientError(due, after=left)


def _settle_failure(delivery: MessageContext, message: Message, error: Exception) -> str:
    """Decide on the message, or on each of its records that failed; then the message itself goes."""
    failures = error.failures if isinstance(error, SomeFailedError) else [(message, error)]
    try:
        outcomes = {_decide(delivery, part, _foreseen(why), whole=part is message) for part, why in failures}
        if outcomes != {"again"}:
            messages.delete(delivery.sqs, message)
            delivery.trouble.settled(message)
        return ", ".join(sorted(outcomes))
    except Exception as broker_error:  # noqa: BLE001 - the broker is away: visibility ends and the message comes again
        log.warning("message.not_settled", **_described(broker_error))
        return "not settled"


def _decide(delivery: MessageContext, message: Message, error: Exception, *, whole: bool) -> str:
    """What becomes of a message, or of a record of one, which goes on as a message of its own."""
    _report(delivery.availability, error)
    sqs, queue, now = delivery.sqs, delivery.queue, time.time()
    tried = Tried(message.attempts, queue.max_receives, now - message.first_sent / 1_000, queue.retention)
    plan = plan_retry(error, tried, random.random())  # noqa: S311 - jitter
    if isinstance(plan, DeadLetter):
        log.error("message.dead_letter", reason=plan.reason, **_described(error), exc_info=_unforeseen(error))
        dead_letter.copy_to_dead_letter_queue(sqs, message, queue.service, error)
        return "dead letter"
    outcome, message_id = _try_again(sqs, message, plan, now, whole=whole)
    log.warning("message.again", after=round(plan.after, 1), **_described(error))
    delivery.trouble.note(_trouble(queue, message, error, message_id, plan.after), plan.after)
    return outcome


def _try_again(
    sqs: "SQSClient", message: Message, plan: Retry | PutBack, now: float, *, whole: bool
) -> tuple[str, str]:
    """The outcome, and the id of the message that will come. Where no copy can be made, the receive counts."""
    counted = message.attempts - isinstance(plan, PutBack)
    try:
        if not whole or isinstance(plan, PutBack):
            return "put back", messages.send_copy(sqs, message, plan.after, counted, now)
    except TooLargeError:
        if not whole:
            raise
    messages.change_visibility(sqs, message, min(plan.after, messages.LONGEST_DELAY))
    return "again", message.id


def _report(availability: Availability, error: Exception) -> None:
    if isinstance(error, UnavailableError):
        availability.failed(error)
    else:
        availability.worked()


def _foreseen(error: Exception) -> Exception:
    """What a handler let through of boto3 is about SQS: S3's errors are classified where S3 is asked."""
    return classified(error, "queue", "AWS") if isinstance(error, ClientError | BotoCoreError) else error


def _trouble(queue: Queue, message: Message, error: Exception, message_id: str, after: float) -> PendingRetry:
    return PendingRetry(
        message_id=message_id,
        body=message.body[:LONGEST_NOTE],
        service=queue.service,
        error=f"{type(error).__name__}: {error}"[:LONGEST_REASON],
        attempt=message.attempts,
        attempts=queue.max_receives,
        again_at=time.time() + after,
    )


def _described(error: BaseException) -> dict[str, str]:
    return {"error_type": type(error).__name__, "error": str(error)[:LONGEST_REASON]}


def _unforeseen(error: Exception) -> Exception | None:
    """The error itself, for its traceback in the log, unless it is one of those that we raise on purpose."""
    return None if type(error).__module__.startswith(("shared.", "services.")) else error
