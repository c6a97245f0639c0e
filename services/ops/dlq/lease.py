"""Temporary exclusive access to a queue's messages without consuming them."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Self

import structlog
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import DeleteMessageBatchRequestEntryTypeDef, MessageTypeDef

log = structlog.get_logger()

VISIBILITY_SECONDS = 60  # after which messages reappear if this process dies; extended while it runs
BATCH = 10  # SQS's limit
MAX_MESSAGES = 100_000  # SQS allows 120,000 messages of a queue in flight
CONCURRENCY = 4  # requests
LONG_POLL_SECONDS = 1
MAX_EMPTY_POLLS = 2  # consecutive empty long polls that end receiving; SQS's counts lag


class QueueLease:
    """Context manager that receives messages and makes those not deleted visible again on exit.

    A dead-letter queue has no redrive policy, so receive counts have no effect.
    """

    def __init__(self, sqs: "SQSClient", url: str) -> None:
        self._sqs, self._url = sqs, url
        self._receipts: dict[str, str] = {}  # by message id
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._extend, name="hold", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()
        self._change_visibility(0)

    def receive(self, limit: int = MAX_MESSAGES, max_empty_polls: int = MAX_EMPTY_POLLS) -> Iterator["MessageTypeDef"]:
        """Receive each message once, until `MAX_EMPTY_POLLS` long polls in a row are empty.

        A short poll queries only some of SQS's servers, so an empty response means little; a long poll queries all of
        them. While another process holds messages according to SQS's counts, up to `max_empty_polls` empty polls are
        made.
        """
        received: set[str] = set()
        empty = 0
        while len(received) < limit:
            messages = self._receive_some(wait=min(LONG_POLL_SECONDS, empty))
            yield from (message for message in messages if message["MessageId"] not in received)
            received.update(message["MessageId"] for message in messages)
            empty = 0 if messages else empty + 1
            if empty > MAX_EMPTY_POLLS and (empty > max_empty_polls or not self.unseen()):
                return

    def unseen(self) -> int:
        """The approximate number of messages that this lease does not hold."""
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])["Attributes"]
        visible, hidden = attributes["ApproximateNumberOfMessages"], attributes["ApproximateNumberOfMessagesNotVisible"]
        return max(0, int(visible) + int(hidden) - len(self._receipts))

    def delete(self, ids: Sequence[str]) -> dict[str, str]:
        """Delete up to ten held messages; returns {message id: reason} of failures."""
        entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "ReceiptHandle": self._receipts[identity]} for number, identity in enumerate(ids)
        ]
        response = self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
        failed = {ids[int(entry["Id"])]: entry.get("Message", entry["Code"]) for entry in response.get("Failed", [])}
        for identity in set(ids) - failed.keys():
            del self._receipts[identity]
        return failed

    def among(self, ids: Iterable[str]) -> Iterator["MessageTypeDef"]:
        """The messages with these ids that are available, each once."""
        wanted = set(ids)
        for message in self.receive() if wanted else ():
            if message["MessageId"] in wanted:
                yield message
                wanted.remove(message["MessageId"])
            if not wanted:
                return

    def _receive_some(self, wait: int) -> list["MessageTypeDef"]:
        """Receive a batch; if it is full, receive several more concurrently."""
        first = self._receive(wait)
        if len(first) < BATCH:
            return first
        with ThreadPoolExecutor(CONCURRENCY) as pool:
            return [*first, *chain.from_iterable(pool.map(self._receive, [0] * CONCURRENCY))]

    def _receive(self, wait: int) -> list["MessageTypeDef"]:
        response = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=VISIBILITY_SECONDS,
            WaitTimeSeconds=wait,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages = response.get("Messages", [])
        self._receipts.update((message["MessageId"], message["ReceiptHandle"]) for message in messages)
        return messages

    def _extend(self) -> None:
        while not self._left.wait(VISIBILITY_SECONDS / 3):
            self._change_visibility(VISIBILITY_SECONDS)

    def _change_visibility(self, seconds: int) -> None:
        receipts = [*self._receipts.values()]
        batches = [receipts[start : start + BATCH] for start in range(0, len(receipts), BATCH)]
        with ThreadPoolExecutor(CONCURRENCY) as pool:
            for _ in pool.map(lambda batch: self._change(batch, seconds), batches):
                pass

    def _change(self, receipts: Sequence[str], seconds: int) -> None:
        try:
            self._sqs.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                    for n, receipt in enumerate(receipts)
                ],
            )
        except (BotoCoreError, ClientError) as error:  # it becomes visible when its timeout ends
            log.warning("hold.not_changed", error=str(error))
