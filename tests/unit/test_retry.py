"""What becomes of a message whose handling failed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.engine.retry import LONGEST_WAIT, Again, DeadLetter, plan_retry
from shared.errors import PermanentError, TransientError

ERRORS = st.one_of(
    st.builds(PermanentError, st.text()),
    st.builds(ValueError, st.text()),
    st.builds(TransientError, st.text(), st.none() | st.floats(min_value=0)),
)
RECEIVES = st.integers(min_value=1, max_value=1000)
JITTER = st.floats(min_value=0, max_value=1, exclude_max=True)


@pytest.mark.parametrize(
    ("error", "receives", "jitter", "planned"),
    [
        pytest.param(PermanentError("bad"), 1, 0.0, DeadLetter("permanent"), id="permanent at once"),
        pytest.param(PermanentError("bad"), 5, 0.0, DeadLetter("permanent"), id="permanent on the last receive"),
        pytest.param(TransientError("away"), 4, 0.0, Again(8.0), id="transient before the last receive"),
        pytest.param(TransientError("away"), 5, 0.0, DeadLetter("last attempt"), id="transient on the last receive"),
        pytest.param(
            TransientError("away"), 6, 0.0, DeadLetter("last attempt"), id="transient beyond the last receive"
        ),
        pytest.param(TransientError("away"), 1, 0.0, Again(1.0), id="shortest wait of the first"),
        pytest.param(TransientError("away"), 1, 0.5, Again(1.5), id="jitter in the middle"),
        pytest.param(TransientError("away", after=60), 1, 0.0, Again(60.0), id="as long as the other side asked"),
        pytest.param(TransientError("away", after=0.1), 2, 0.0, Again(2.0), id="never shorter than the back-off"),
        pytest.param(TransientError("away", after=3600), 1, 0.0, Again(LONGEST_WAIT), id="asked for too long"),
        pytest.param(KeyError("who knows"), 1, 0.0, Again(1.0), id="unforeseen is tried again"),
        pytest.param(KeyError("who knows"), 5, 0.0, DeadLetter("last attempt"), id="unforeseen on the last receive"),
    ],
)
def test_the_plan_follows_from_the_kind_of_error_and_the_receives(
    error: Exception, receives: int, jitter: float, planned: Again | DeadLetter
) -> None:
    assert plan_retry(error, receives, max_receives=5, jitter=jitter) == planned


def test_the_wait_doubles_with_every_receive_up_to_the_longest() -> None:
    waits = [plan_retry(TransientError("away"), n, max_receives=99, jitter=0.0) for n in range(1, 12)]
    assert waits == [Again(w) for w in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 150.0, 150.0, 150.0)]


@given(error=ERRORS, receives=RECEIVES, max_receives=RECEIVES, jitter=JITTER)
def test_a_message_is_never_shown_more_often_than_its_queue_allows(
    error: Exception, receives: int, max_receives: int, jitter: float
) -> None:
    plan = plan_retry(error, receives, max_receives, jitter)
    assert isinstance(plan, DeadLetter) or receives < max_receives


@given(error=ERRORS, receives=RECEIVES, jitter=JITTER)
def test_a_wait_is_never_shorter_than_half_the_backoff_nor_longer_than_the_longest(
    error: Exception, receives: int, jitter: float
) -> None:
    plan = plan_retry(error, receives, 1001, jitter)
    if isinstance(plan, Again):
        assert min(2.0**receives, LONGEST_WAIT) / 2 <= plan.after <= LONGEST_WAIT
