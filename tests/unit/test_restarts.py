"""How often a part is started again."""

import pytest

from infra.embedded.restarts import CRASH_LOOP_FAILURES, WINDOW_SECONDS, Restarts


def fail(times: int, start: float = 0.0, step: float = 1.0) -> Restarts:
    history = Restarts()
    for number in range(times):
        history = history.after_failure(start + number * step, first_delay=1.0)
    return history


@pytest.mark.parametrize(("failures", "delay"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (12, 60)])
def test_the_delay_doubles_with_each_failure_up_to_a_minute(failures: int, delay: float) -> None:
    assert fail(failures).next_start == failures - 1 + delay


def test_failures_out_of_the_window_do_not_count() -> None:
    history = fail(4).after_failure(WINDOW_SECONDS + 10, first_delay=1.0)
    assert history.failures == (WINDOW_SECONDS + 10,)
    assert history.next_start == WINDOW_SECONDS + 11


def test_a_part_that_fails_often_within_the_window_is_in_a_crash_loop() -> None:
    assert not fail(CRASH_LOOP_FAILURES - 1).is_crash_loop
    assert fail(CRASH_LOOP_FAILURES).is_crash_loop
    assert not fail(CRASH_LOOP_FAILURES, step=WINDOW_SECONDS).is_crash_loop
