"""Keeps a message invisible to other workers for as long as this one works on it."""

import threading
from typing import TYPE_CHECKING, Self

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from shared.config.topology import Queue
from shared.engine.message import Message, change_visibility

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

log = structlog.get_logger()
GONE = {"ReceiptHandleIsInvalid", "InvalidParameterValue", "AWS.SimpleQueueService.MessageNotInflight"}


class VisibilityExtender:
    """Extends a message's visibility every third of it, until left, the receipt is invalid, or the time limit is over.

    It runs in the process that does the work, so that a process that hangs or dies loses its claim.
    """

    def __init__(self, sqs: "SQSClient", message: Message, queue: Queue) -> None:
        self._sqs, self._message, self._queue = sqs, message, queue
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()  # an extension under way must not outlive the decision that follows

    def _beat(self) -> None:
        interval = self._queue.visibility / 3
        for _ in range(int(self._queue.time_limit / interval)):
            if self._left.wait(interval):
                return
            try:
                change_visibility(self._sqs, self._message, self._queue.visibility)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                log.warning("message.not_extended", error=code)
                if code in GONE:
                    return
            except BotoCoreError as error:
                log.warning("message.not_extended", error=type(error).__name__)
