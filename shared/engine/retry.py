"""The retry policy, as a pure function."""

from dataclasses import dataclass

from shared.errors import PermanentError, TransientError, UnavailableError

MAX_BACKOFF_SECONDS = 300.0  # s
MAX_SOURCE_WAIT_SECONDS = 43_200.0  # that a source may ask for with Retry-After: half a day
# s until a message that met an unavailable part is retried: a tenth of its age, within these limits. Its worker
# receives nothing until the part is back, so a long delay would only add latency.
MIN_OUTAGE_WAIT_SECONDS, MAX_OUTAGE_WAIT_SECONDS = 1.0, 30.0


@dataclass(frozen=True)
class MessageHistory:
    """A message's attempts so far, including this one, and its age in seconds.

    SQS deletes it at `max_age`.
    """

    attempts: int
    max_attempts: int
    age: float
    max_age: float


@dataclass(frozen=True)
class Retry:
    """Leave the message on its queue, visible after this many seconds. The attempt counts."""

    after: float


@dataclass(frozen=True)
class PutBack:
    """Send a copy due after this many seconds. The attempt does not count."""

    after: float


@dataclass(frozen=True)
class MoveToDlq:
    """Move the message to its dead-letter queue."""

    reason: str


def plan_retry(error: BaseException, history: MessageHistory, jitter: float) -> Retry | PutBack | MoveToDlq:
    """Decide by the class of error and the message's history.

    `jitter` in [0, 1) spreads the retries of messages that failed together. Unexpected errors are retried up to the
    maximum number of attempts. Errors that are not about the message (an unavailable part, a source that asked for a
    pause) may be retried for as long as the queue keeps messages.
    """
    if isinstance(error, PermanentError):
        return MoveToDlq("permanent")
    if isinstance(error, UnavailableError):
        wait = min(max(history.age / 10, MIN_OUTAGE_WAIT_SECONDS), MAX_OUTAGE_WAIT_SECONDS)
        return _put_back(wait * (0.5 + jitter / 2), history)
    if isinstance(error, TransientError) and error.after:
        return _put_back(min(error.after, MAX_SOURCE_WAIT_SECONDS), history)
    if history.attempts >= history.max_attempts:
        return MoveToDlq("last attempt")
    return Retry(min(2.0**history.attempts, MAX_BACKOFF_SECONDS) * (0.5 + jitter / 2))


def _put_back(after: float, history: MessageHistory) -> PutBack | MoveToDlq:
    return MoveToDlq("waited too long") if history.age > history.max_age else PutBack(after)
