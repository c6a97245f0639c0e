"""Rules about a batch as a whole."""

import pytest

from services.transformer.batch_rules import require_few_failures, warn_of_count
from services.transformer.gate import Problems
from shared.datasets.contract.options import BatchLimits
from shared.errors import PermanentError
from shared.formats.quarantine import Problem

LIMITS = BatchLimits().model_copy(update={"failed_share": 0.5, "smallest": 20})


def problems(rules: str) -> Problems:
    """Records that failed, each by a rule of one letter."""
    return {n: (Problem(rule=rule, field="", message=""),) for n, rule in enumerate(rules)}


@pytest.mark.parametrize(("failed", "records"), [(0, 0), (0, 100), (10, 20), (50, 100), (19, 19), (1, 1)])
def test_a_batch_of_few_records_or_few_failures_is_not_refused(failed: int, records: int) -> None:
    require_few_failures(problems("a" * failed), records, LIMITS)


@pytest.mark.parametrize(("failed", "records"), [(11, 20), (51, 100), (100, 100)])
def test_a_batch_most_of_which_failed_is_refused(failed: int, records: int) -> None:
    with pytest.raises(PermanentError, match=f"^{failed} of {records} records failed"):
        require_few_failures(problems("a" * failed), records, LIMITS)


def test_the_refusal_names_the_most_frequent_rule_and_how_often_it_failed() -> None:
    with pytest.raises(PermanentError, match=r"most often b \(9\): the batch is rejected"):
        require_few_failures(problems("aaaabbbbbbbbbccc"), 20, LIMITS)


def test_each_dataset_has_limits_of_its_own() -> None:
    require_few_failures(problems("a" * 90), 100, BatchLimits().model_copy(update={"failed_share": 0.9}))
    with pytest.raises(PermanentError):
        require_few_failures(problems("a"), 2, BatchLimits().model_copy(update={"failed_share": 0.4, "smallest": 1}))


@pytest.mark.parametrize(("announced", "records"), [(None, 0), (None, 7), (7, 7), (0, 0)])
def test_a_document_with_as_many_records_as_it_says_raises_no_warning(announced: int | None, records: int) -> None:
    assert warn_of_count(announced, records) == ()


@pytest.mark.parametrize(("announced", "records"), [(8, 7), (0, 7), (500, 0)])
def test_a_document_with_another_number_of_records_than_it_says_is_warned_about(announced: int, records: int) -> None:
    (warning,) = warn_of_count(announced, records)
    assert (warning.rule, warning.records) == ("row_count", 0)
    assert warning.message == f"the document says it has {announced} records, and has {records}"
