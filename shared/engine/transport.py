"""SQS as a Celery broker with native messages: a consumer-only kombu virtual transport.

docs/adr/0002-celery-on-sqs.md has the reasons not to use kombu's SQS transport. This one only receives messages and
hands them to child processes; the child also deletes or retries the message (`shared.engine.consumer`), so Celery's
acknowledgement only means that the slot is free.
"""

import base64
import json
import math
import threading
import time
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

import celery
import kombu
import structlog
from botocore.exceptions import BotoCoreError, ClientError
from celery.worker import state as celery_state
from kombu.transport import virtual

from shared.engine.availability import Availability
from shared.engine.message import Message, TooLargeError, change_visibility, delete, send_copy

# kombu's virtual transport is private API. These are the tested versions and the names it relies on; a version bump
# must pass tests/integration/test_engine.py first.
TESTED = {"celery": "5.7.0", "kombu": "5.7.0"}
REQUIRED_NAMES = {
    virtual.Channel: ("_get", "_restore", "basic_ack", "basic_reject", "drain_events", "qos"),
    virtual.QoS: ("append", "can_consume", "reject", "restore_unacked_once"),
    virtual.Transport: ("drain_events", "polling_interval"),
    celery_state: ("should_stop", "should_terminate"),
}
assert {"celery": celery.__version__, "kombu": kombu.__version__} == TESTED, f"tested with {TESTED} only"  # noqa: S101
assert all(hasattr(owner, name) for owner, names in REQUIRED_NAMES.items() for name in names), "kombu has changed"  # noqa: S101

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

log = structlog.get_logger()

TASK = "smelt.deliver"
STUCK_AFTER_SECONDS = 60.0  # past a task's hard time limit, after which the worker no longer counts as alive
MAX_POLL_PAUSE_SECONDS = 5.0  # s between polls while SQS is unavailable


class Channel(virtual.Channel):
    """Receives one message whenever a slot is free. Its options are in `client.transport_options`."""

    def __init__(self, connection: "Transport", **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)  # type: ignore[no-untyped-call]
        options: dict[str, Any] = connection.client.transport_options  # type: ignore[union-attr]
        self._sqs: SQSClient = options["sqs"]
        self._queue_url: str = options["queue_url"]
        self._receive_wait: int = options["receive_wait"]
        self._liveness_file: Path | None = options["liveness_file"]
        self._longest_task: float = options["longest_task"]
        self._availability: Availability = options["availability"]
        self._delivered_at: dict[str, float] = {}
        self._slot_freed = threading.Event()
        self._pause = 0.0

    def drain_events(self, timeout: float | None = None, callback: Any = None) -> Any:
        """Deliver one message, or raise Empty. Blocks while every slot is taken."""
        self._touch_liveness_file()
        self._slot_freed.clear()
        if not self.qos.can_consume():
            self._slot_freed.wait(timeout)
        return super().drain_events(timeout=timeout, callback=callback)  # type: ignore[no-untyped-call]

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """A child has finished with the message."""
        super().basic_ack(delivery_tag, multiple=multiple)  # type: ignore[no-untyped-call]
        self._settled(delivery_tag)

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """A child died or never received the message: make it visible again, whatever Celery requests."""
        super().basic_reject(delivery_tag, requeue=True)  # type: ignore[no-untyped-call]
        self._settled(delivery_tag)
        log.warning("message.given_back", requeue=requeue)

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:  # noqa: ARG002 - kombu's signature
        if not self._availability.may_receive(in_flight=len(self._delivered_at)):
            raise Empty
        try:
            answer = self._sqs.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=1,
                WaitTimeSeconds=self._receive_wait,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        except (BotoCoreError, ClientError) as error:
            self._pause = min(max(2 * self._pause, 0.2), MAX_POLL_PAUSE_SECONDS)
            log.warning("queue.not_polled", error=str(error), pause=self._pause)
            time.sleep(self._pause)
            raise Empty from None
        self._pause = 0.0
        if not answer.get("Messages"):
            raise Empty
        message = Message.received(answer["Messages"][0], self._queue_url)
        self._delivered_at[message.receipt] = time.monotonic()
        return _celery_message(message, queue)

    def _restore(self, message: virtual.Message) -> None:
        """Make the message visible at once. If the worker is stopping, the attempt does not count."""
        unsettled = Message(**message.properties["sqs"])
        try:
            if _is_stopping():
                send_copy(self._sqs, unsettled, 0, unsettled.attempts - 1, time.time())
                delete(self._sqs, unsettled)
            else:
                change_visibility(self._sqs, unsettled, after=0)
        except (BotoCoreError, ClientError, TooLargeError) as error:  # it becomes visible when its timeout ends
            log.warning("message.not_given_back", error=str(error))

    def _settled(self, delivery_tag: str) -> None:
        self._delivered_at.pop(delivery_tag, None)
        self._slot_freed.set()

    def _touch_liveness_file(self) -> None:
        """Touch the liveness file unless a task has outlived its hard time limit."""
        oldest = min(
            [*self._delivered_at.values()], default=math.inf
        )  # copied, as acknowledgements come from another thread
        if self._liveness_file and time.monotonic() - oldest < self._longest_task + STUCK_AFTER_SECONDS:
            self._liveness_file.touch()


class Transport(virtual.Transport):
    """kombu's virtual transport over `Channel`."""

    Channel = Channel
    driver_type = driver_name = "sqs"
    polling_interval = 0  # `Channel` waits in a long poll or for a slot
    connection_errors = channel_errors = (BotoCoreError, ClientError, OSError)  # type: ignore[assignment]
    can_parse_url = True

    def drain_events(self, connection: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Deliver one message; stops polling once the worker is told to stop, as Celery would poll once more."""
        if _is_stopping():
            raise TimeoutError
        return super().drain_events(connection, **kwargs)  # type: ignore[no-untyped-call]

    def driver_version(self) -> str:
        """Shown in Celery's banner."""
        return "native"


def _is_stopping() -> bool:
    return celery_state.should_stop is not None or celery_state.should_terminate is not None


def _celery_message(message: Message, queue: str) -> dict[str, Any]:
    """A Celery protocol 2 message around the unmodified body. Does not parse it: the task handles malformed bodies."""
    embedded = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    body = json.dumps([[message.as_json()], {}, embedded]).encode()
    return {
        "body": base64.b64encode(body).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": TASK, "id": message.id, "lang": "py"},
        "properties": {
            "delivery_tag": message.receipt,
            "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": queue},
            "sqs": message.as_json(),
        },
    }
