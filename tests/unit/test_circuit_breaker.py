"""When a worker stops receiving, and when it begins again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.engine.circuit_breaker import MAX_PROBE_INTERVAL, CircuitBreaker, State

CLOSED = CircuitBreaker()
OPEN = CLOSED.message_failed("database", "refused", now=0)
HALF_OPEN = OPEN.probe_succeeded()
EVENTS = {
    "a message fails": lambda it: it.message_failed("database", "refused", 10),
    "a message works": lambda it: it.message_succeeded(),
    "the probe fails": lambda it: it.probe_failed("refused", 10),
    "the probe is answered": lambda it: it.probe_succeeded(),
}


@pytest.mark.parametrize(
    ("before", "event", "after"),
    [
        (CLOSED, "a message works", "closed"),
        (CLOSED, "a message fails", "open"),
        (CLOSED, "the probe fails", "closed"),
        (CLOSED, "the probe is answered", "closed"),
        (OPEN, "a message works", "open"),  # it was received before
        (OPEN, "a message fails", "open"),
        (OPEN, "the probe fails", "open"),
        (OPEN, "the probe is answered", "half-open"),
        (HALF_OPEN, "a message works", "closed"),
        (HALF_OPEN, "a message fails", "open"),
        (HALF_OPEN, "the probe fails", "half-open"),
        (HALF_OPEN, "the probe is answered", "half-open"),
    ],
)
def test_each_event_leads_where_it_must(before: CircuitBreaker, event: str, after: State) -> None:
    assert EVENTS[event](before).state == after


@pytest.mark.parametrize(
    ("breaker", "in_flight", "may"),
    [(CLOSED, 0, True), (CLOSED, 9, True), (OPEN, 0, False), (HALF_OPEN, 0, True), (HALF_OPEN, 1, False)],
)
def test_what_may_be_received(breaker: CircuitBreaker, in_flight: int, *, may: bool) -> None:
    assert breaker.may_receive(in_flight) is may


def test_it_probes_with_longer_and_longer_rests_and_at_once_again_after_it_worked() -> None:
    breaker, rests, now = OPEN, [], 0.0
    for _ in range(7):
        rests.append(breaker.next_probe - now)
        now = breaker.next_probe
        breaker = breaker.probe_failed("refused", now)
    assert rests == [1, 2, 4, 8, MAX_PROBE_INTERVAL, MAX_PROBE_INTERVAL, MAX_PROBE_INTERVAL]
    assert breaker.probe_succeeded().message_succeeded().message_failed("bucket", "away", now).next_probe == now + 1


def test_a_message_that_fails_after_a_probe_worked_prolongs_the_rest() -> None:
    assert HALF_OPEN.message_failed("database", "disk full", now=10).next_probe == 12


def test_what_is_away_is_what_the_last_message_met() -> None:
    reopened = HALF_OPEN.message_failed("bucket", "away", now=10)
    assert (reopened.part, reopened.reason) == ("bucket", "away")


@given(st.lists(st.sampled_from(sorted(EVENTS))))
def test_it_is_open_only_after_a_failure_and_then_always_with_a_part_and_a_probe_to_come(events: list[str]) -> None:
    breaker = CLOSED
    for event in events:
        breaker = EVENTS[event](breaker)
        assert (breaker.part is None) == (breaker.state == "closed")
        assert breaker.must_probe(breaker.next_probe) == (breaker.state == "open")
