"""What happens to a message whose handling failed: one pure function."""

from dataclasses import dataclass

from shared.errors import PermanentError, TransientError, UnavailableError

LONGEST_BACKOFF = 300.0  # s: what failed by itself is retried at least every five minutes
MAX_SOURCE_WAIT_SECONDS = 43_200.0  # that a source may ask for, by Retry-After or otherwise: half a day
# s until a message is tried again that met a part that is away: a tenth of its age. Its worker receives nothing anyway
# until the part is back; then it should not wait for long.
SHORTEST_ABSENCE, LONGEST_ABSENCE = 1.0, 30.0


@dataclass(frozen=True)
class Tried:
    """What a message has been through: attempts with this one (1 = the first), of `most`; seconds since it was sent.

    `oldest` is the age at which SQS would have dropped it.
    """

    attempts: int
    most: int
    age: float
    oldest: float


@dataclass(frozen=True)
class Retry:
    """Leave the message on its queue and show it again after this many seconds: the attempt counts."""

    after: float


@dataclass(frozen=True)
class PutBack:
    """Put the message back for this many seconds: the attempt does not count."""

    after: float


@dataclass(frozen=True)
class DeadLetter:
    """Move the message to its dead-letter queue for this reason."""

    reason: str


def plan_retry(error: BaseException, tried: Tried, jitter: float) -> Retry | PutBack | DeadLetter:
    """Decide by the kind of error and by what the message has been through.

    `jitter` in [0, 1) spreads the waits of messages that failed together. An error of a kind nobody foresaw is tried
    again: it costs a few attempts, and the message that is left in the end carries the reason. What says nothing of the
    message (a part is away, a source told us to wait) may go on for as long as a queue keeps messages.
    """
    if isinstance(error, PermanentError):
        return DeadLetter("permanent")
    if isinstance(error, UnavailableError):
        wait = min(max(tried.age / 10, SHORTEST_ABSENCE), LONGEST_ABSENCE)
        return _put_back(wait * (0.5 + jitter / 2), tried)
    if isinstance(error, TransientError) and error.after:
        return _put_back(min(error.after, MAX_SOURCE_WAIT_SECONDS), tried)
    if tried.attempts >= tried.most:
        return DeadLetter("last attempt")
    return Retry(min(2.0**tried.attempts, LONGEST_BACKOFF) * (0.5 + jitter / 2))


def _put_back(after: float, tried: Tried) -> PutBack | DeadLetter:
    return DeadLetter("waited too long") if tried.age > tried.oldest else PutBack(after)
