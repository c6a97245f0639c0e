"""Backpressure: pauses deferrable work while queues downstream are too long."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import structlog
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

log = structlog.get_logger()

DEPTH_TTL_SECONDS = 5.0  # a measured depth is used this long; also the polling interval while paused
# The longest pause. It ends before the worker's stop timeout (SMELT_STOP_TIMEOUT_SECONDS, 80 s); then the work proceeds
# whatever the depth, so no receive is used up and a run always finishes (ADR 11).
MAX_PAUSE_SECONDS = 60.0


class Backpressure:
    """Compares queue depths with `limits`, {URL: messages that may wait}. A failed measurement does not pause."""

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
        """Block until no queue is over its limit, at most for MAX_PAUSE_SECONDS."""
        begin = self._clock()
        while (over := self._over_limit()) and self._clock() - begin < MAX_PAUSE_SECONDS:
            log.info("work.paused", seconds=round(self._clock() - begin), **over)
            self._sleep(DEPTH_TTL_SECONDS)

    def _over_limit(self) -> dict[str, int]:
        """{queue name: depth} of the queues over their limit."""
        if self._clock() - self._looked >= DEPTH_TTL_SECONDS:
            depths = {url: self._depth(url) for url in self._limits}
            self._over = {
                url.rpartition("/")[2]: depth for url, depth in depths.items() if depth and depth > self._limits[url]
            }
            self._looked = self._clock()
        return self._over

    def _depth(self, url: str) -> int | None:
        try:
            response = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        except (BotoCoreError, ClientError) as error:
            log.warning("pressure.unknown", queue=url.rpartition("/")[2], error=str(error))
            return None
        return int(response["Attributes"]["ApproximateNumberOfMessages"])
