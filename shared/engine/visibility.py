"""Extends a message's visibility timeout while it is being handled."""

import threading
from typing import TYPE_CHECKING, Self

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from shared.config.topology import Queue
from shared.engine.message import Message, change_visibility

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

log = structlog.get_logger()
NOT_IN_FLIGHT = {"ReceiptHandleIsInvalid", "InvalidParameterValue", "AWS.SimpleQueueService.MessageNotInflight"}


class VisibilityExtender:
    """Context manager that extends the visibility at every third of the timeout.

    It stops on exit, when the receipt is invalid, and at the queue's time limit. It runs in the process that does the
    work, so that a hung or dead process loses the message.
    """

    def __init__(self, sqs: "SQSClient", message: Message, queue: Queue) -> None:
        self._sqs, self._message, self._queue = sqs, message, queue
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._extend, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()  # a running extension must finish before the outcome is decided

    def _extend(self) -> None:
        interval = self._queue.visibility / 3
        for _ in range(int(self._queue.time_limit / interval)):
            if self._left.wait(interval):
                return
            try:
                change_visibility(self._sqs, self._message, self._queue.visibility)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                log.warning("message.not_extended", error=code)
                if code in NOT_IN_FLIGHT:
                    return
            except BotoCoreError as error:
                log.warning("message.not_extended", error=type(error).__name__)
