"""What is to be done with dead letters: found and planned, shown to an operator, and done as it was shown."""

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
from services.ops.dlq.filters import Filter, Group
from services.ops.dlq.lease import MOST
from services.ops.dlq.replay import Step
from services.ops.operator_log import Work
from services.ops.queues import names


@dataclass(frozen=True)
class Plan:
    """`steps` are those of a replay, `unseen` how many letters nobody could look at, `total` how many `work` is for."""

    letters: list[DeadLetter]
    unseen: int
    total: int
    work: Work
    steps: list[Step]

    @property
    def groups(self) -> list[Group]:
        """The letters by reason."""
        return filters.grouped(self.letters)

    @property
    def targets(self) -> Counter[str]:
        """{queue: how many go there}."""
        return Counter(step.to.name for step in self.steps if not step.refused)

    @property
    def refused(self) -> Counter[str]:
        """{why: how many stay}."""
        return Counter(step.refused for step in self.steps if step.refused)

    @property
    def patched(self) -> list[Step]:
        """Those that go with another body."""
        return [step for step in self.steps if step.patched is not None]


def find(connections: Connections, wanted: Filter, most: int = MOST) -> Survey:
    """The letters meant, the oldest first, of up to `most` of each queue."""
    survey = dead_letters.survey(connections, wanted.queues, most)
    return Survey(wanted.select(survey.letters, time.time()), survey.unseen)


def replay(  # noqa: PLR0913 - the options of a replay
    connections: Connections,
    wanted: Filter,
    limit: int | None,
    *,
    rate: str | None,
    patch: JsonPatch | None,
    to: str | None,
    force: bool,
    most: int = MOST,
) -> Plan:
    """Send them on their way again. Raises PermanentError for a rate or a queue that cannot be meant."""
    speed = durations.per_second(rate) if rate else None
    target = names.find_queue(to) if to else None
    found = find(connections, wanted, most)
    letters = found.letters[:limit]
    steps = replaying.plan(letters, replaying.sources(connections), patch, target, force=force)
    options = {"limit": limit, "rate": speed, "patch": patch and patch.patch, "to": target and target.name}
    asked = wanted.described() | _given(options | {"force": force or None})
    work = partial(replaying.replay, connections, steps, asked, speed)
    return Plan(letters, found.unseen, sum(not step.refused for step in steps), work, steps)


def discard(connections: Connections, wanted: Filter, limit: int | None, reason: str, most: int = MOST) -> Plan:
    """Delete them, keeping copies."""
    found = find(connections, wanted, most)
    letters = found.letters[:limit]
    work = partial(discards.discard, connections, letters, reason, wanted.described() | _given({"limit": limit}))
    return Plan(letters, found.unseen, len(letters), work, [])


def _given(options: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in options.items() if value is not None}
