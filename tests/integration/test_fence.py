"""The freshness fence as a state machine: whatever is observed, and however often and late it arrives, newest wins."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Engine, text

from shared.formats.observation import observation
from shared.storage.objects import ObjectContent
from tests.integration.test_loader import DATASET, MONDAY, load, posting, silver_object, titles

pytestmark = pytest.mark.integration

KEYS = [f"uploads/{DATASET}/{name}.json" for name in ("one", "two")]


def test_no_order_number_or_delay_of_events_makes_a_row_older(database: Engine) -> None:
    class Fence(RuleBasedStateMachine):
        """Objects are put under two keys, within a few seconds of each other, and their events come as they like."""

        objects = Bundle("objects")

        @initialize()
        def empty(self) -> None:
            self.puts = 0
            self.newest: dict[int, tuple[Any, str]] = {}
            with database.begin() as connection:
                connection.execute(text("truncate silver.job, silver.job_last_seen, ops.loaded_object cascade"))

        @rule(
            target=objects,
            key=st.sampled_from(KEYS),
            second=st.integers(0, 2),
            numbers=st.sets(st.integers(1, 3), min_size=1),
            title=st.sampled_from(["a", "b"]),
        )
        def put(self, key: str, second: int, numbers: set[int], title: str) -> tuple[ObjectContent, Any, set[int], str]:
            self.puts += 1
            seen_at, sequencer = MONDAY + timedelta(seconds=second), f"{self.puts:04X}"
            content = silver_object([posting(n, title) for n in numbers], seen_at, key=key, sequencer=sequencer)
            return content, observation(seen_at, key, sequencer, 1), numbers, title

        @rule(stored=objects, times=st.integers(1, 2))
        def deliver(self, stored: tuple[ObjectContent, Any, set[int], str], times: int) -> None:
            content, seen, numbers, title = stored
            for _ in range(times):
                load(database, content)
            for number in numbers:
                if number not in self.newest or self.newest[number][0] <= seen:
                    self.newest[number] = (seen, title)

        @invariant()
        def every_row_is_the_newest_seen(self) -> None:
            assert titles(database) == {number: title for number, (_, title) in self.newest.items()}

    checks = settings(
        max_examples=25,
        stateful_step_count=12,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(Fence, settings=checks)
