"""Which dead letters are meant, and which have the same reason. Pure."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from services.ops.dlq.dead_letters import DeadLetter
from shared.config.topology import QUEUES, Queue
from shared.errors import PermanentError

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
LONGEST_REASON = 300  # characters
# What differs between messages that fail for the same reason: paths, what is quoted, hexadecimal ids, numbers.
VARIABLE = re.compile(r"""[^\s'"(]*/[^\s'"),:]+|(?<!\w)'[^']*'|(?<!\w)"[^"]*"|\b[0-9a-f]{8}[0-9a-f-]*\b|\d+""")


@dataclass(frozen=True)
class Filter:
    """What must be true of a dead letter; None and an empty tuple ask nothing. `older_than` is in seconds.

    `ids` may be shortened to their first characters, `error` is any part of its type and message in any case.
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
        """Whose dead letters have to be looked at."""
        return (self.queue,) if self.queue else QUEUES

    def select(self, letters: Iterable[DeadLetter], now: float) -> list[DeadLetter]:
        """Those of which it is true, the oldest first. `now` is in epoch seconds."""
        found = [letter for letter in letters if self._is_true_of(letter, now)]
        return sorted(found, key=lambda letter: letter.sent or 0.0)

    def described(self) -> dict[str, object]:
        """What it asks, for the record."""
        asked = {**asdict(self), "queue": self.queue.name if self.queue else None}
        return {name: value for name, value in asked.items() if value not in {None, ()}}

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


def asked(ids: Iterable[str] | None, queue: str | None, older_than: str | None, **same: str | None) -> Filter:
    """A filter as people write it: `bronze`, `15m`. Raises PermanentError for what cannot be meant."""
    return Filter(
        ids=tuple(ids or ()),
        queue=queue_called(queue) if queue else None,
        older_than=seconds(older_than) if older_than else None,
        **same,
    )


@dataclass(frozen=True)
class Group:
    """Dead letters of one queue that failed for the same reason, the oldest first."""

    queue: str
    error_type: str
    reason: str
    letters: tuple[DeadLetter, ...]


def grouped(letters: Iterable[DeadLetter]) -> list[Group]:
    """By queue in the order of the pipeline, then by reason, most letters first."""
    together: dict[tuple[str, str, str], list[DeadLetter]] = defaultdict(list)
    for letter in letters:
        together[letter.queue, letter.error_type, reason(letter)].append(letter)
    order = [queue.name for queue in QUEUES]
    groups = [Group(queue, error, _told(why, same), tuple(same)) for (queue, error, why), same in together.items()]
    return sorted(groups, key=lambda group: (order.index(group.queue), -len(group.letters), group.reason))


def reason(letter: DeadLetter) -> str:
    """Why it failed, in one line without what is only about this one letter."""
    line = letter.error_message.strip().partition("\n")[0]
    for stored in letter.objects:
        line = line.replace(stored.key, "…")
    return VARIABLE.sub("…", line)[:LONGEST_REASON]


def queue_called(name: str) -> Queue:
    """`bronze`, `smelt-bronze`, `smelt-bronze-dlq` and `transformer` are the same. Raises PermanentError."""
    for queue in QUEUES:
        if name in {queue.name, queue.dead_letter_name, queue.service, short_name(queue)}:
            return queue
    message = f"no queue {name!r}; known: {', '.join(map(short_name, QUEUES))}"
    raise PermanentError(message)


def short_name(queue: Queue) -> str:
    """A queue as people call it: `bronze`."""
    return queue.name.rpartition("-")[2]


def seconds(duration: str) -> float:
    """`90s`, `15m`, `2h` or `1d` in seconds. Raises PermanentError."""
    return _measured(duration, r"([0-9]+(?:\.[0-9]+)?)([smhd])", "15m, 2h or 1d", lambda unit: UNITS[unit])


def per_second(rate: str) -> float:
    """`5`, or `5/s`. Raises PermanentError unless it is more than nothing."""
    found = _measured(rate, r"([0-9]+(?:\.[0-9]+)?)(/s)?", "5/s", lambda _: 1)
    if not found:
        message = "a rate of 0 would never end"
        raise PermanentError(message)
    return found


def _measured(text: str, form: str, example: str, size: Callable[[str], int]) -> float:
    found = re.fullmatch(form, text.strip(), re.ASCII)
    if not found:
        message = f"{text!r} is not of the form {example}"
        raise PermanentError(message)
    return float(found[1]) * size(found[2])


def _told(why: str, letters: list[DeadLetter]) -> str:
    """The whole message where all say the same."""
    messages = {letter.error_message for letter in letters}
    return messages.pop().strip().partition("\n")[0][:LONGEST_REASON] if len(messages) == 1 else why
