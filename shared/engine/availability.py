"""The circuit breaker of a worker: its processes report what is away, its main process probes and stops receiving.

Processes share a pipe, for reports to the main process, and a page of memory, in which it says what it waits for. Both
are made before the fork, and neither has a lock that a killed process could keep.
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

LONGEST_REASON = 300  # characters: a report is shorter than PIPE_BUF, so that writes of several processes never mix
PAGE = 4_096  # bytes
NAP = 0.5  # s at most in which the main process looks at nothing else

Probe = Callable[[], None]  # raises while the part is away


@dataclass(frozen=True)
class Outage:
    """What a worker waits for, and since when, in epoch seconds by its clock."""

    part: str
    reason: str
    since: float


class Availability:
    """Make it before any fork. `probes` ask each part; one without a probe is tried with a message."""

    def __init__(self, probes: Mapping[Part, Probe], clock: Callable[[], float] = time.monotonic) -> None:
        self._probes, self._clock = probes, clock
        self._breaker = CircuitBreaker()
        self._since = 0.0
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._page = mmap.mmap(-1, PAGE)
        self._unread = b""

    def failed(self, error: UnavailableError) -> None:
        """In the process that works: a message met a part that is away."""
        self._report({"part": error.part, "reason": str(error)[:LONGEST_REASON]})

    def worked(self) -> None:
        """In the process that works: a message met nothing that is away."""
        self._report({})

    def outage(self) -> Outage | None:
        """In any process: what is waited for."""
        try:
            return Outage(**orjson.loads(self._page[:].rstrip(b"\0")))
        except (orjson.JSONDecodeError, TypeError):  # nothing is, or it is being written
            return None

    def may_receive(self, in_flight: int) -> bool:
        """In the main process: whether to receive now. Rests a moment where not, and probes when it is time."""
        before = self._breaker
        for report in self._reports():
            self._hear(report)
        if self._breaker.must_probe(self._clock()):
            self._probe()
        if self._breaker != before:
            self._tell(before)
        if self._breaker.may_receive(in_flight):
            return True
        time.sleep(NAP)
        return False

    def _hear(self, report: dict[str, Part]) -> None:
        if report:
            self._breaker = self._breaker.failed(report["part"], report["reason"], self._clock())
        else:
            self._breaker = self._breaker.worked()

    def _probe(self) -> None:
        try:
            self._probes.get(self._breaker.part or "queue", _unknown)()
        except Exception as error:  # noqa: BLE001 - whatever a probe meets, the part is not as it must be
            self._breaker = self._breaker.still_away(str(error)[:LONGEST_REASON], self._clock())
        else:
            self._breaker = self._breaker.answered()

    def _tell(self, before: CircuitBreaker) -> None:
        """In the log, and to the processes that say it to whoever watches."""
        breaker = self._breaker
        if before.state != breaker.state:
            log.warning("breaker.changed", state=breaker.state, part=breaker.part or before.part, reason=breaker.reason)
        if before.state == "closed":
            self._since = time.time()
        told = b""
        if breaker.state == "open":
            told = orjson.dumps({"part": breaker.part, "reason": breaker.reason, "since": self._since})
        self._page[:] = told.ljust(PAGE, b"\0")

    def _report(self, report: dict[str, str]) -> None:
        with suppress(BlockingIOError):  # nobody reads: the main process is busy, or gone
            os.write(self._writer, orjson.dumps(report) + b"\n")

    def _reports(self) -> Iterator[dict[str, Part]]:
        with suppress(BlockingIOError):
            self._unread += os.read(self._reader, 65_536)
        *lines, self._unread = self._unread.split(b"\n")
        yield from map(orjson.loads, lines)


def _unknown() -> None:
    """A part without a probe: the next message tells."""
