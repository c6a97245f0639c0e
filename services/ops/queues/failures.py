"""Groups failed messages by reason. No I/O."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.ops.queues.messages import MessageSubject
from shared.config.topology import QUEUES

T = TypeVar("T")

MAX_REASON_CHARS = 300
# Parts of a message that vary within one reason: paths, quoted texts, hexadecimal ids, numbers.
VARIABLE = re.compile(r"""[^\s'"(]*/[^\s'"),:]+|(?<!\w)'[^']*'|(?<!\w)"[^"]*"|\b[0-9a-f]{8}[0-9a-f-]*\b|\d+""")


@dataclass(frozen=True)
class Failure:
    """The failure of one message."""

    queue: str
    error_type: str
    error_message: str
    subject: MessageSubject

    @property
    def reason(self) -> str:
        """The first line of the error, with variable parts replaced."""
        line = self.error_message.strip().partition("\n")[0]
        for stored in self.subject.objects:
            line = line.replace(stored.key, "…")
        return VARIABLE.sub("…", line)[:MAX_REASON_CHARS]


@dataclass(frozen=True)
class FailureGroup(Generic[T]):
    """Messages of one queue with the same reason, in the given order."""

    queue: str
    error_type: str
    reason: str
    messages: tuple[T, ...]


def group_by_reason(messages: Iterable[T], failure_of: Callable[[T], Failure]) -> list[FailureGroup[T]]:
    """Groups by queue in pipeline order, then largest first."""
    together: dict[tuple[str, str, str], list[tuple[T, str]]] = defaultdict(list)
    for message in messages:
        failure = failure_of(message)
        together[failure.queue, failure.error_type, failure.reason].append((message, failure.error_message))
    groups = [
        FailureGroup(queue, error_type, _shown(reason, {text for _, text in same}), tuple(it for it, _ in same))
        for (queue, error_type, reason), same in together.items()
    ]
    order = [queue.name for queue in QUEUES]
    return sorted(groups, key=lambda group: (order.index(group.queue), -len(group.messages), group.reason))


def _shown(reason: str, messages: set[str]) -> str:
    """The original message if all have the same."""
    return messages.pop().strip().partition("\n")[0][:MAX_REASON_CHARS] if len(messages) == 1 else reason
