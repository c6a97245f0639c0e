"""The circuit breaker of a worker, shared by its processes: children report outages, the main process probes.

Children report to the main process through a pipe. The main process publishes the current outage in a shared memory
page. Both are created before the fork, and neither uses a lock that a killed process could leave locked.
"""

import mmap
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import orjson
import structlog

from shared.engine.circuit_breaker import CircuitBreaker
from shared.errors import Part, UnavailableError

log = structlog.get_logger()

MAX_REASON_LENGTH = 300  # below PIPE_BUF, so that writes of several processes never interleave
PAGE_BYTES = 4_096  # bytes
MAX_SLEEP_SECONDS = 0.5  # for which the main process blocks while the breaker is open

Probe = Callable[[], None]  # raises while the part is unavailable


@dataclass(frozen=True)
class Outage:
    """The part that a worker waits for. `since` is in epoch seconds by the worker's clock."""

    part: str
    reason: str
    since: float


class Availability:
    """Create it before forking. `probes` test each part; a part without a probe is tested with a message."""

    def __init__(self, probes: Mapping[Part, Probe], clock: Callable[[], float] = time.monotonic) -> None:
        self._probes, self._clock = probes, clock
        self._breaker = CircuitBreaker()
        self._since = 0.0
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._page = mmap.mmap(-1, PAGE_BYTES)
        self._unread = b""

    def report_failure(self, error: UnavailableError) -> None:
        """Called by a child: a message failed because a part is unavailable."""
        self._report({"part": error.part, "reason": str(error)[:MAX_REASON_LENGTH]})

    def report_success(self) -> None:
        """Called by a child: a message met no unavailable part."""
        self._report({})

    def outage(self) -> Outage | None:
        """The current outage, or None. May be called in any process."""
        try:
            return Outage(**orjson.loads(self._page[:].rstrip(b"\0")))
        except (orjson.JSONDecodeError, TypeError):  # empty, or being written
            return None

    def may_receive(self, in_flight: int) -> bool:
        """Called by the main process: whether to receive now. Sleeps briefly if not, and probes when it is time."""
        before = self._breaker
        for report in self._reports():
            self._apply(report)
        if self._breaker.must_probe(self._clock()):
            self._probe()
        if self._breaker != before:
            self._publish(before)
        if self._breaker.may_receive(in_flight):
            return True
        time.sleep(MAX_SLEEP_SECONDS)
        return False

    def _apply(self, report: dict[str, Part]) -> None:
        if report:
            self._breaker = self._breaker.message_failed(report["part"], report["reason"], self._clock())
        else:
            self._breaker = self._breaker.message_succeeded()

    def _probe(self) -> None:
        try:
            self._probes.get(self._breaker.part or "queue", _unknown)()
        except Exception as error:  # noqa: BLE001 - any error of a probe means that the part is unavailable
            self._breaker = self._breaker.probe_failed(str(error)[:MAX_REASON_LENGTH], self._clock())
        else:
            self._breaker = self._breaker.probe_succeeded()

    def _publish(self, before: CircuitBreaker) -> None:
        """Log a change of state and publish the outage to the children."""
        breaker = self._breaker
        if before.state != breaker.state:
            log.warning("breaker.changed", state=breaker.state, part=breaker.part or before.part, reason=breaker.reason)
        if before.state == "closed":
            self._since = time.time()
        content = b""
        if breaker.state == "open":
            content = orjson.dumps({"part": breaker.part, "reason": breaker.reason, "since": self._since})
        self._page[:] = content.ljust(PAGE_BYTES, b"\0")

    def _report(self, report: dict[str, str]) -> None:
        with suppress(BlockingIOError):  # the main process is busy or gone
            os.write(self._writer, orjson.dumps(report) + b"\n")

    def _reports(self) -> Iterator[dict[str, Part]]:
        with suppress(BlockingIOError):
            self._unread += os.read(self._reader, 65_536)
        *lines, self._unread = self._unread.split(b"\n")
        yield from map(orjson.loads, lines)


def _unknown() -> None:
    """The probe of a part that has none: the next message is the test."""
