"""Actions on dead letters: prepared, shown to an operator, then done exactly as shown."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from jsonpatch import JsonPatch

from services.ops import durations
from services.ops.connections import Connections
from services.ops.dlq import dead_letters, filters
from services.ops.dlq import discard as discards
from services.ops.dlq import replay as replaying
from services.ops.dlq.dead_letters import DeadLetter, Survey
from services.ops.dlq.filters import DeadLetterFilter, DeadLetterGroup
from services.ops.dlq.lease import MAX_MESSAGES
from services.ops.dlq.replay import Step
from services.ops.operator_log import Work
from services.ops.queues import names


@dataclass(frozen=True)
class DeadLetterAction:
    """A prepared replay or discard.

    `steps` are those of a replay, `unseen` is the number of letters that could not be examined, and `total` the number
    that `work` processes.
    """

    letters: list[DeadLetter]
    unseen: int
    total: int
    work: Work
    steps: list[Step]

    @property
    def groups(self) -> list[DeadLetterGroup]:
        """The letters grouped by reason."""
        return filters.grouped(self.letters)

    @property
    def targets(self) -> Counter[str]:
        """{target queue: number of letters}."""
        return Counter(step.to.name for step in self.steps if not step.rejected)

    @property
    def rejected(self) -> Counter[str]:
        """{reason: number of letters that are not sent}."""
        return Counter(step.rejected for step in self.steps if step.rejected)

    @property
    def patched(self) -> list[Step]:
        """Steps with a changed body."""
        return [step for step in self.steps if step.patched is not None]


def find(connections: Connections, wanted: DeadLetterFilter, most: int = MAX_MESSAGES) -> Survey:
    """The matching letters, oldest first, of up to `most` per queue."""
    survey = dead_letters.survey(connections, wanted.queues, most)
    return Survey(wanted.select(survey.letters, time.time()), survey.unseen)


def replay(  # noqa: PLR0913 - the options of a replay
    connections: Connections,
    wanted: DeadLetterFilter,
    limit: int | None,
    *,
    rate: str | None,
    patch: JsonPatch | None,
    to: str | None,
    force: bool,
    most: int = MAX_MESSAGES,
) -> DeadLetterAction:
    """Prepare a replay. Raises PermanentError for an invalid rate or queue."""
    speed = durations.per_second(rate) if rate else None
    target = names.find_queue(to) if to else None
    survey = find(connections, wanted, most)
    letters = survey.letters[:limit]
    steps = replaying.plan(letters, replaying.sources(connections), patch, target, force=force)
    options = {"limit": limit, "rate": speed, "patch": patch and patch.patch, "to": target and target.name}
    filter_json = wanted.described() | _given(options | {"force": force or None})
    work = partial(replaying.replay, connections, steps, filter_json, speed)
    return DeadLetterAction(letters, survey.unseen, sum(not step.rejected for step in steps), work, steps)


def discard(
    connections: Connections, wanted: DeadLetterFilter, limit: int | None, reason: str, most: int = MAX_MESSAGES
) -> DeadLetterAction:
    """Prepare discarding letters, keeping copies."""
    survey = find(connections, wanted, most)
    letters = survey.letters[:limit]
    work = partial(discards.discard, connections, letters, reason, wanted.described() | _given({"limit": limit}))
    return DeadLetterAction(letters, survey.unseen, len(letters), work, [])


def _given(options: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in options.items() if value is not None}
