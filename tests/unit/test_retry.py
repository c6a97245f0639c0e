"""What becomes of a message whose handling failed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.engine.retry import (
    MAX_BACKOFF_SECONDS,
    MAX_OUTAGE_WAIT_SECONDS,
    MAX_SOURCE_WAIT_SECONDS,
    MessageHistory,
    MoveToDlq,
    PutBack,
    Retry,
    plan_retry,
)
from shared.errors import NewerVersionError, PermanentError, TransientError, UnavailableError

ERRORS = st.one_of(
    st.builds(PermanentError, st.text()),
    st.builds(ValueError, st.text()),
    st.builds(TransientError, st.text(), st.none() | st.floats(min_value=0)),
)
ATTEMPTS = st.integers(min_value=1, max_value=1000)
JITTER = st.floats(min_value=0, max_value=1, exclude_max=True)


@pytest.mark.parametrize(
    ("error", "attempts", "jitter", "planned"),
    [
        pytest.param(PermanentError("bad"), 1, 0.0, MoveToDlq("permanent"), id="permanent at once"),
        pytest.param(PermanentError("bad"), 5, 0.0, MoveToDlq("permanent"), id="permanent on the last attempt"),
        pytest.param(TransientError("away"), 4, 0.0, Retry(8.0), id="transient before the last attempt"),
        pytest.param(TransientError("away"), 5, 0.0, MoveToDlq("last attempt"), id="transient on the last attempt"),
        pytest.param(TransientError("away"), 6, 0.0, MoveToDlq("last attempt"), id="transient beyond the last attempt"),
        pytest.param(TransientError("away"), 1, 0.0, Retry(1.0), id="shortest wait of the first"),
        pytest.param(TransientError("away"), 1, 0.5, Retry(1.5), id="jitter in the middle"),
        pytest.param(KeyError("who knows"), 1, 0.0, Retry(1.0), id="unforeseen is tried again"),
        pytest.param(KeyError("who knows"), 5, 0.0, MoveToDlq("last attempt"), id="unforeseen on the last attempt"),
        pytest.param(TransientError("ask later", after=60), 1, 0.0, PutBack(60.0), id="as long as was asked for"),
        pytest.param(TransientError("ask later", after=60), 9, 0.0, PutBack(60.0), id="asked for, and tried often"),
        pytest.param(
            TransientError("ask later", after=99_999), 1, 0.0, PutBack(MAX_SOURCE_WAIT_SECONDS), id="asked for too long"
        ),
        pytest.param(TransientError("ask now", after=0), 5, 0.0, MoveToDlq("last attempt"), id="asked for no wait"),
        pytest.param(NewerVersionError("a command"), 9, 0.0, PutBack(300.0), id="an upgrade is under way"),
        pytest.param(UnavailableError("away", "database"), 9, 0.0, PutBack(5.0), id="a part is away"),
    ],
)
def test_the_plan_follows_from_the_kind_of_error_and_the_attempts(
    error: Exception, attempts: int, jitter: float, planned: Retry | PutBack | MoveToDlq
) -> None:
    assert plan_retry(error, MessageHistory(attempts, max_attempts=5, age=100, max_age=1_000), jitter) == planned


def test_the_wait_doubles_with_every_attempt_up_to_the_longest() -> None:
    waits = [
        plan_retry(TransientError("away"), MessageHistory(n, 99, age=0, max_age=1), jitter=0.0) for n in range(1, 12)
    ]
    assert waits == [Retry(w) for w in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 150.0, 150.0, 150.0)]


def test_what_met_a_part_that_is_away_is_tried_after_a_tenth_of_its_age() -> None:
    waits = [
        plan_retry(UnavailableError("away", "bucket"), MessageHistory(1, 5, age, max_age=1e6), jitter=0.999999)
        for age in (0, 50, 200, 7_200)
    ]
    assert [round(wait.after) for wait in waits if isinstance(wait, PutBack)] == [1, 5, 20, MAX_OUTAGE_WAIT_SECONDS]


@pytest.mark.parametrize("error", [UnavailableError("away", "bucket"), TransientError("later", after=60)])
def test_nothing_waits_for_longer_than_its_queue_would_keep_it(error: Exception) -> None:
    assert isinstance(plan_retry(error, MessageHistory(1, 5, age=999, max_age=1_000), jitter=0.0), PutBack)
    assert plan_retry(error, MessageHistory(1, 5, age=1_001, max_age=1_000), jitter=0.0) == MoveToDlq("waited too long")


@given(error=ERRORS, attempts=ATTEMPTS, most=ATTEMPTS, jitter=JITTER)
def test_a_message_never_has_more_attempts_than_its_queue_allows(
    error: Exception, attempts: int, most: int, jitter: float
) -> None:
    plan = plan_retry(error, MessageHistory(attempts, most, age=0, max_age=1), jitter)
    assert not isinstance(plan, Retry) or attempts < most


@given(error=ERRORS, attempts=ATTEMPTS, jitter=JITTER)
def test_a_backoff_is_never_shorter_than_half_of_it_nor_longer_than_the_longest(
    error: Exception, attempts: int, jitter: float
) -> None:
    plan = plan_retry(error, MessageHistory(attempts, 1001, age=0, max_age=1), jitter)
    if isinstance(plan, Retry):
        assert min(2.0**attempts, MAX_BACKOFF_SECONDS) / 2 <= plan.after <= MAX_BACKOFF_SECONDS
