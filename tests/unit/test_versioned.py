"""What a newer version wrote waits; what merely looks odd is refused as ever."""

import gzip
import json
from collections.abc import Callable

import pytest

from shared.config.topology import QUEUES, Queue
from shared.engine.retry import MessageHistory, PutBack, plan_retry
from shared.errors import NewerVersionError, PermanentError
from shared.formats import commands, quarantine, run_plan

Read = Callable[[bytes], object]
READERS: dict[str, Read] = {
    "a command": lambda body: commands.parse_command(body.decode()),
    "a run plan": run_plan.read,
    "a quarantine object": lambda body: quarantine.read(gzip.compress(body)),
}


@pytest.mark.parametrize("what", READERS)
def test_what_a_newer_version_wrote_is_left_to_its_workers(what: str) -> None:
    with pytest.raises(NewerVersionError, match=f"^{what} of a newer version of smelt; waiting"):
        READERS[what](json.dumps({"version": 2, "type": "of tomorrow"}).encode())


@pytest.mark.parametrize("what", READERS)
@pytest.mark.parametrize("version", [0, -1, "2", 2.0, True, None, [2]])
def test_what_no_version_would_write_is_refused(what: str, version: object) -> None:
    with pytest.raises(PermanentError):
        READERS[what](json.dumps({"version": version}).encode())


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.service)
def test_it_waits_for_as_long_as_a_roll_out_takes_and_counts_no_attempt(queue: Queue) -> None:
    for days in range(4):
        tried = MessageHistory(queue.max_receives, queue.max_receives, age=days * 86_400, max_age=queue.retention)
        assert plan_retry(NewerVersionError("a batch"), tried, jitter=0.5) == PutBack(300)
