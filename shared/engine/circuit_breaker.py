"""The state machine of a circuit breaker: when a worker stops receiving because a part is unavailable. No I/O."""

from dataclasses import dataclass, replace
from typing import Literal

from shared.errors import Part

State = Literal["closed", "open", "half-open"]

MIN_PROBE_INTERVAL, MAX_PROBE_INTERVAL = (
    1.0,
    15.0,
)  # s; doubles with each failed probe, so that work resumes within a minute


@dataclass(frozen=True)
class CircuitBreaker:
    """Closed: messages are received. Open: none are. Half-open: one at a time, as a test.

    `failures` counts consecutive failures of probes and messages. `next_probe` is by the clock that passes `now`.
    """

    state: State = "closed"
    part: Part | None = None
    reason: str = ""
    failures: int = 0
    next_probe: float = 0.0

    def may_receive(self, in_flight: int) -> bool:
        """Whether to receive a message while this many are in flight."""
        return self.state == "closed" or (self.state == "half-open" and not in_flight)

    def must_probe(self, now: float) -> bool:
        """Whether it is time to probe."""
        return self.state == "open" and now >= self.next_probe

    def message_failed(self, part: Part, reason: str, now: float) -> "CircuitBreaker":
        """A message failed because the part is unavailable. Ignored while open: the message was received earlier."""
        return self if self.state == "open" else self._opened(part, reason, now)

    def message_succeeded(self) -> "CircuitBreaker":
        """A message met no unavailable part. Ignored while open: the message was received earlier."""
        return CircuitBreaker() if self.state == "half-open" else self

    def probe_succeeded(self) -> "CircuitBreaker":
        """The part is available again."""
        return replace(self, state="half-open") if self.state == "open" else self

    def probe_failed(self, reason: str, now: float) -> "CircuitBreaker":
        """The part is still unavailable."""
        return self._opened(self.part, reason, now) if self.state == "open" else self

    def _opened(self, part: Part | None, reason: str, now: float) -> "CircuitBreaker":
        wait = min(MIN_PROBE_INTERVAL * 2.0**self.failures, MAX_PROBE_INTERVAL)
        return CircuitBreaker("open", part, reason, self.failures + 1, now + wait)
