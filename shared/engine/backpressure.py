"""Backpressure: before work that can wait, a pause while those downstream have more than they can do."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import structlog
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

log = structlog.get_logger()

FRESH = 5.0  # s for which a depth is believed, and between two looks while pausing
# s of the longest pause. It is over before a stop gives up waiting (SMELT_STOP_TIMEOUT_SECONDS, 80 s), and then the
# work is done whatever waits: no receive is used up, and no flood can keep a run from coming to its end (ADR 11).
LONGEST = 60.0


class Backpressure:
    """Looks at the depth of queues, {URL: messages that may wait}. A depth that cannot be measured stops nobody."""

    def __init__(
        self,
        sqs: "SQSClient",
        limits: Mapping[str, int],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sqs, self._limits, self._clock, self._sleep = sqs, limits, clock, sleep
        self._looked = float("-inf")
        self._over: dict[str, int] = {}

    def wait(self) -> None:
        """Return when no queue is over its limit, or after the longest pause."""
        begin = self._clock()
        while (over := self._over_limit()) and self._clock() - begin < LONGEST:
            log.info("work.paused", seconds=round(self._clock() - begin), **over)
            self._sleep(FRESH)

    def _over_limit(self) -> dict[str, int]:
        """{queue: messages} of those that have too many."""
        if self._clock() - self._looked >= FRESH:
            depths = {url: self._depth(url) for url in self._limits}
            self._over = {
                url.rpartition("/")[2]: depth for url, depth in depths.items() if depth and depth > self._limits[url]
            }
            self._looked = self._clock()
        return self._over

    def _depth(self, url: str) -> int | None:
        try:
            found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        except (BotoCoreError, ClientError) as error:
            log.warning("pressure.unknown", queue=url.rpartition("/")[2], error=str(error))
            return None
        return int(found["Attributes"]["ApproximateNumberOfMessages"])
