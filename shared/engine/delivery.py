"""The wrapper round every message: lease, span, outcome, log line. Handlers are only business."""

import functools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from celery.signals import worker_process_shutdown

from shared import telemetry
from shared.engine import message as messages
from shared.engine.heartbeat import Heartbeat
from shared.engine.message import Message
from shared.engine.presence import Presence
from shared.engine.retry import Again, DeadLetter, plan_retry
from shared.engine.trouble import Trouble, TroubleBoard
from shared.failpoint import failpoint
from shared.telemetry import metrics
from shared.topology import Queue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

log = structlog.get_logger()

LONGEST_NOTE = 4_096  # characters of a body kept in a note
STILL_QUEUED = {"again", "not settled"}  # outcomes of which the message comes back

Handler = Callable[[Message], str]  # the outcome in one word, for logs and metrics; raises what `plan_retry` decides on


@dataclass(frozen=True)
class Delivery:
    """What settling a message takes: the broker, the queue's limits, and where to note what happens to it."""

    sqs: "SQSClient"
    queue: Queue
    trouble: TroubleBoard
    presence: Presence


def deliver(delivery: Delivery, message: Message, handle: Handler) -> None:
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
        outcome = _settle(delivery, message, handle)
        delivery.presence.ends(message, settled=outcome not in STILL_QUEUED)
        seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu
        telemetry.note(outcome=outcome)
        metrics.MESSAGES.add(1, {"service": service, "outcome": outcome})
        metrics.DURATION.record(seconds, {"service": service, "outcome": outcome})
        log.info("message.settled", outcome=outcome, seconds=round(seconds, 3), cpu_seconds=round(cpu_seconds, 3))


@functools.cache
def _export() -> None:
    """Begun with the first message: of a pool's processes, only those that handle messages have something to tell."""
    if telemetry.export():
        worker_process_shutdown.connect(lambda **_: telemetry.stop(), weak=False)


def _settle(delivery: Delivery, message: Message, handle: Handler) -> str:
    try:
        with Heartbeat(delivery.sqs, message, delivery.queue):
            failpoint("message.received")
            outcome = handle(message)
        messages.delete(delivery.sqs, message)
        failpoint("message.deleted")
    except Exception as error:  # noqa: BLE001 - every failure is a decision, made in one place
        with telemetry.at_failure(error):
            return _settle_failure(delivery, message, error)
    delivery.trouble.settled(message)
    return outcome


def _settle_failure(delivery: Delivery, message: Message, error: Exception) -> str:
    sqs, queue = delivery.sqs, delivery.queue
    plan = plan_retry(error, message.receives, queue.max_receives, random.random())  # noqa: S311 - jitter
    try:
        match plan:
            case Again(after):
                log.warning("message.again", after=round(after, 1), **_described(error))
                messages.show_again(sqs, message, after)
                delivery.trouble.note(_trouble(queue, message, error, after), after)
                return "again"
            case DeadLetter(reason):
                log.error("message.dead_letter", reason=reason, **_described(error), exc_info=_unforeseen(error))
                messages.bury(sqs, message, queue.service, error)
                delivery.trouble.settled(message)
                return "dead letter"
    except Exception as broker_error:  # noqa: BLE001 - the broker is away: visibility ends and the message comes again
        log.warning("message.not_settled", **_described(broker_error))
        return "not settled"


def _trouble(queue: Queue, message: Message, error: Exception, after: float) -> Trouble:
    return Trouble(
        message_id=message.id,
        body=message.body[:LONGEST_NOTE],
        service=queue.service,
        error=f"{type(error).__name__}: {error}"[: messages.LONGEST_ATTRIBUTE],
        attempt=message.receives,
        attempts=queue.max_receives,
        again_at=time.time() + after,
    )


def _described(error: BaseException) -> dict[str, str]:
    return {"error_type": type(error).__name__, "error": str(error)[: messages.LONGEST_ATTRIBUTE]}


def _unforeseen(error: Exception) -> Exception | None:
    """The error itself, for its traceback in the log, unless it is one of those that we raise on purpose."""
    return None if type(error).__module__.startswith(("shared.", "services.")) else error
