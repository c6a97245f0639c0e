"""Filtering dead letters and grouping them by reason. No I/O."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from services.ops import durations
from services.ops.dlq.dead_letters import DeadLetter
from services.ops.queues.failures import group_by_reason
from services.ops.queues.names import find_queue
from shared.config.topology import QUEUES, Queue


@dataclass(frozen=True)
class DeadLetterFilter:
    """A filter on dead letters; None and an empty tuple match all. `older_than` is in seconds.

    `ids` may be prefixes; `error` matches any part of type and message, ignoring case.
    """

    ids: tuple[str, ...] = ()
    queue: Queue | None = None
    error: str | None = None
    dataset: str | None = None
    run: str | None = None
    older_than: float | None = None
    contains: str | None = None

    @property
    def queues(self) -> tuple[Queue, ...]:
        """The queues to read."""
        return (self.queue,) if self.queue else QUEUES

    def select(self, letters: Iterable[DeadLetter], now: float) -> list[DeadLetter]:
        """The matching letters, oldest first. `now` is in epoch seconds."""
        matches = [letter for letter in letters if self._is_true_of(letter, now)]
        return sorted(matches, key=lambda letter: letter.sent or 0.0)

    def described(self) -> dict[str, object]:
        """The conditions, for the audit log."""
        values = {**asdict(self), "queue": self.queue.name if self.queue else None}
        return {name: value for name, value in values.items() if value not in {None, ()}}

    def _is_true_of(self, letter: DeadLetter, now: float) -> bool:
        return all(
            (
                not self.ids or letter.id.startswith(self.ids),
                self.queue is None or letter.queue == self.queue.name,
                self.error is None or self.error.lower() in f"{letter.error_type}: {letter.error_message}".lower(),
                self.dataset is None or self.dataset in letter.datasets,
                self.run is None or self.run in letter.body or self.run in letter.about,
                self.older_than is None or (letter.sent is not None and now - letter.sent > self.older_than),
                self.contains is None or self.contains in letter.body,
            )
        )


def parse_filter(
    ids: Iterable[str] | None, queue: str | None, older_than: str | None, **same: str | None
) -> DeadLetterFilter:
    """Parse a filter as typed: `bronze`, `15m`. Raises PermanentError for invalid values."""
    return DeadLetterFilter(
        ids=tuple(ids or ()),
        queue=find_queue(queue) if queue else None,
        older_than=durations.seconds(older_than) if older_than else None,
        **same,
    )


@dataclass(frozen=True)
class DeadLetterGroup:
    """Dead letters of one queue with the same reason, oldest first."""

    queue: str
    error_type: str
    reason: str
    letters: tuple[DeadLetter, ...]


def grouped(letters: Iterable[DeadLetter]) -> list[DeadLetterGroup]:
    """Groups by queue in pipeline order, largest first."""
    groups = group_by_reason(letters, lambda letter: letter.failure)
    return [DeadLetterGroup(group.queue, group.error_type, group.reason, group.messages) for group in groups]
