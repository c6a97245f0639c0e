"""Names of queues in the command line."""

from shared.config.topology import QUEUES, Queue
from shared.errors import PermanentError


def find_queue(name: str) -> Queue:
    """`bronze`, `smelt-bronze`, `smelt-bronze-dlq` and `transformer` are the same. Raises PermanentError."""
    for queue in QUEUES:
        if name in {queue.name, queue.dead_letter_name, queue.service, short_name(queue)}:
            return queue
    message = f"no queue {name!r}; known: {', '.join(short_names())}"
    raise PermanentError(message)


def short_name(queue: Queue) -> str:
    """The last part of a queue's name: `bronze`."""
    return queue.name.rpartition("-")[2]


def short_names() -> list[str]:
    """The short names of all queues in pipeline order."""
    return [short_name(queue) for queue in QUEUES]
