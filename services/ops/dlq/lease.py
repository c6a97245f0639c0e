"""Messages of a queue hidden from everybody else for as long as we need them, and given back in every case."""

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

HIDDEN = 60  # s after which the messages are back if we die; extended for as long as we live
BATCH = 10  # messages in a request, SQS's limit
MOST = 100_000  # messages held at a time: SQS lets 120,000 of a queue be in flight
AT_ONCE = 4  # requests
EMPTY_POLLS = 2  # long polls in a row without a message that end a look, whatever the counts say: those lag


class QueueLease:
    """Receives without consuming. On leaving, also by an interruption, all that was not deleted is visible again.

    A dead-letter queue has no redrive policy, so that being received however often leads to nothing.
    """

    def __init__(self, sqs: "SQSClient", url: str) -> None:
        self._sqs, self._url = sqs, url
        self._receipts: dict[str, str] = {}  # by message id
        self._left = threading.Event()
        self._extending = threading.Thread(target=self._extend, name="hold", daemon=True)

    def __enter__(self) -> Self:
        self._extending.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._extending.join()
        self._show_again_after(0)

    def receive(self, most: int = MOST, patience: int = EMPTY_POLLS) -> Iterator["MessageTypeDef"]:
        """Each message once, until `EMPTY_POLLS` long polls in a row bring none.

        A short poll asks only some of SQS's servers, so an empty one means nothing; a long poll of a second asks all.
        While SQS counts messages that we do not have (another process holds them), up to `patience` polls instead.
        """
        seen: set[str] = set()
        empty = 0
        while len(seen) < most:
            messages = self._receive_some(wait=min(1, empty))
            yield from (message for message in messages if message["MessageId"] not in seen)
            seen.update(message["MessageId"] for message in messages)
            empty = 0 if messages else empty + 1
            if empty > EMPTY_POLLS and (empty > patience or not self.unseen()):
                return

    def unseen(self) -> int:
        """How many messages the queue has that we do not hold; about."""
        found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])["Attributes"]
        visible, hidden = found["ApproximateNumberOfMessages"], found["ApproximateNumberOfMessagesNotVisible"]
        return max(0, int(visible) + int(hidden) - len(self._receipts))

    def delete(self, ids: Sequence[str]) -> dict[str, str]:
        """Take up to ten held messages off the queue; {message id: why} for those that SQS did not delete."""
        entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "ReceiptHandle": self._receipts[identity]} for number, identity in enumerate(ids)
        ]
        answer = self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
        failed = {ids[int(entry["Id"])]: entry.get("Message", entry["Code"]) for entry in answer.get("Failed", [])}
        for identity in set(ids) - failed.keys():
            del self._receipts[identity]
        return failed

    def among(self, ids: Iterable[str]) -> Iterator["MessageTypeDef"]:
        """Those of the messages that can be had, each once."""
        wanted = set(ids)
        for message in self.receive() if wanted else ():
            if message["MessageId"] in wanted:
                yield message
                wanted.remove(message["MessageId"])
            if not wanted:
                return

    def _receive_some(self, wait: int) -> list["MessageTypeDef"]:
        """Of a queue that has many, several requests at a time."""
        first = self._receive(wait)
        if len(first) < BATCH:
            return first
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return [*first, *chain.from_iterable(pool.map(self._receive, [0] * AT_ONCE))]

    def _receive(self, wait: int) -> list["MessageTypeDef"]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=HIDDEN,
            WaitTimeSeconds=wait,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        self._receipts.update((message["MessageId"], message["ReceiptHandle"]) for message in messages)
        return messages

    def _extend(self) -> None:
        while not self._left.wait(HIDDEN / 3):
            self._show_again_after(HIDDEN)

    def _show_again_after(self, seconds: int) -> None:
        receipts = [*self._receipts.values()]
        batches = [receipts[start : start + BATCH] for start in range(0, len(receipts), BATCH)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
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
        except (BotoCoreError, ClientError) as error:  # then its visibility ends by itself
            log.warning("hold.not_changed", error=str(error))
