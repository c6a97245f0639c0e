"""When a worker stops receiving because a part that it needs is away, and when it begins again. Pure."""

from dataclasses import dataclass, replace
from typing import Literal

from shared.errors import Part

State = Literal["closed", "open", "half-open"]

SHORTEST, LONGEST = 1.0, 15.0  # s between two probes: doubled up to a quarter of the minute in which work must go on


@dataclass(frozen=True)
class CircuitBreaker:
    """Closed, messages are received; open, none; half-open, one at a time, to see whether it works again.

    `failures` are those in a row, of probes and of messages; `next_probe` is by the clock of `now`.
    """

    state: State = "closed"
    part: Part | None = None
    reason: str = ""
    failures: int = 0
    next_probe: float = 0.0

    def may_receive(self, in_flight: int) -> bool:
        """Whether to receive a message while so many are worked on."""
        return self.state == "closed" or (self.state == "half-open" and not in_flight)

    def must_probe(self, now: float) -> bool:
        """Whether it is time to ask the part that was away."""
        return self.state == "open" and now >= self.next_probe

    def failed(self, part: Part, reason: str, now: float) -> "CircuitBreaker":
        """A message failed because the part is away. Further ones, received before, say nothing new."""
        return self if self.state == "open" else self._opened(part, reason, now)

    def worked(self) -> "CircuitBreaker":
        """A message met nothing that is away. One received before the breaker opened says nothing."""
        return CircuitBreaker() if self.state == "half-open" else self

    def answered(self) -> "CircuitBreaker":
        """The part answered a probe."""
        return replace(self, state="half-open") if self.state == "open" else self

    def still_away(self, reason: str, now: float) -> "CircuitBreaker":
        """The part did not answer a probe."""
        return self._opened(self.part, reason, now) if self.state == "open" else self

    def _opened(self, part: Part | None, reason: str, now: float) -> "CircuitBreaker":
        wait = min(SHORTEST * 2.0**self.failures, LONGEST)
        return CircuitBreaker("open", part, reason, self.failures + 1, now + wait)
