"""Groups messages that failed for the same reason. Pure."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.ops.queues.messages import MessageSubject
from shared.config.topology import QUEUES

T = TypeVar("T")

MAX_REASON_CHARS = 300
# What differs between messages that fail for the same reason: paths, what is quoted, hexadecimal ids, numbers.
VARIABLE = re.compile(r"""[^\s'"(]*/[^\s'"),:]+|(?<!\w)'[^']*'|(?<!\w)"[^"]*"|\b[0-9a-f]{8}[0-9a-f-]*\b|\d+""")


@dataclass(frozen=True)
class Failure:
    """Why one message of a queue failed."""

    queue: str
    error_type: str
    error_message: str
    subject: MessageSubject

    @property
    def reason(self) -> str:
        """The first line of the error without what is only about this message."""
        line = self.error_message.strip().partition("\n")[0]
        for stored in self.subject.objects:
            line = line.replace(stored.key, "…")
        return VARIABLE.sub("…", line)[:MAX_REASON_CHARS]


@dataclass(frozen=True)
class FailureGroup(Generic[T]):
    """Messages of one queue that failed for the same reason, in the order in which they were given."""

    queue: str
    error_type: str
    reason: str
    messages: tuple[T, ...]


def group_by_reason(messages: Iterable[T], failure_of: Callable[[T], Failure]) -> list[FailureGroup[T]]:
    """By queue in the order of the pipeline, then by reason, most messages first."""
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
    """The message itself where it is the same for all."""
    return messages.pop().strip().partition("\n")[0][:MAX_REASON_CHARS] if len(messages) == 1 else reason
