"""Why messages wait, together where they failed alike."""

from services.ops.queues.retries import RetryGroup, retry_groups
from shared.engine.pending_retries import PendingRetry

LATER = 1_800_000_000.0


def trouble(number: int, error: str, service: str = "loader", attempt: int = 1) -> PendingRetry:
    return PendingRetry(f"id-{number}", "{}", service, error, attempt, 8, again_at=LATER + number)


def test_messages_that_failed_alike_are_one_wait_with_the_worst_attempt_and_the_next_moment() -> None:
    found = retry_groups(
        [
            trouble(5, "Away: port 1 in run 12", attempt=2),
            trouble(3, "Away: port 2 in run 13", attempt=4),
            trouble(9, "Away: nobody"),
        ]
    )
    assert found == [
        RetryGroup("smelt-silver", "Away", "port … in run …", 2, 4, 8, LATER + 3),
        RetryGroup("smelt-silver", "Away", "nobody", 1, 1, 8, LATER + 9),
    ]


def test_they_come_in_the_order_of_the_pipeline() -> None:
    found = retry_groups([trouble(1, "A: a"), trouble(2, "B: b", "uploads"), trouble(3, "C: c", "extractor")])
    assert [wait.queue for wait in found] == ["smelt-extract", "smelt-uploads", "smelt-silver"]


def test_an_error_without_a_word_is_its_type() -> None:
    (found,) = retry_groups([trouble(1, "KeyError: ")])
    assert (found.error_type, found.reason) == ("KeyError", "")


def test_a_worker_of_another_version_may_have_a_queue_that_nobody_knows_here() -> None:
    assert retry_groups([trouble(1, "A: a", "smith")]) == []
