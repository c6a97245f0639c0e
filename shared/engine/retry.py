"""What happens to a message whose handling failed: one pure function."""

from dataclasses import dataclass

from shared.errors import PermanentError, TransientError

LONGEST_WAIT = 300.0  # s: an API or database outage is retried at least every five minutes


@dataclass(frozen=True)
class Again:
    """Leave the message on its queue and show it again after this many seconds."""

    after: float


@dataclass(frozen=True)
class DeadLetter:
    """Move the message to its dead-letter queue for this reason."""

    reason: str


def plan_retry(error: BaseException, receives: int, max_receives: int, jitter: float) -> Again | DeadLetter:
    """Decide by the kind of error and how often the message was received (1 = the first time).

    `jitter` in [0, 1) spreads the waits of messages that failed together. An error of a kind nobody foresaw is tried
    again: it costs a few receives, and the message that is left in the end carries the reason.
    """
    if isinstance(error, PermanentError):
        return DeadLetter("permanent")
    if receives >= max_receives:
        return DeadLetter("last attempt")
    backoff = min(2.0**receives, LONGEST_WAIT) * (0.5 + jitter / 2)
    asked = error.after if isinstance(error, TransientError) and error.after else 0.0
    return Again(max(backoff, min(asked, LONGEST_WAIT)))
