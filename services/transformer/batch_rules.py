"""Rules about a batch as a whole. The loader has those about a run, which need previous runs."""

from collections import Counter

from services.transformer.gate import Problems
from shared.datasets.contract.options import BatchLimits
from shared.errors import PermanentError
from shared.formats.silver import RuleWarning


def require_few_failures(problems: Problems, records: int, limits: BatchLimits) -> None:
    """Raises PermanentError if the share of failed records exceeds the dataset's limit."""
    if records < limits.smallest or len(problems) <= limits.failed_share * records:
        return
    rules = Counter(failures[0].rule for failures in problems.values())
    (rule, times), *_ = rules.most_common(1)
    index, (first, *_) = next(
        (index, failures) for index, failures in sorted(problems.items()) if failures[0].rule == rule
    )
    message = (
        f"{len(problems)} of {records} records failed, most often {rule} ({times}): the batch is rejected; the first of"
        f" them is record {index}: {first.message}"
    )
    raise PermanentError(message)


def warn_of_count(expected_records: int | None, records: int) -> tuple[RuleWarning, ...]:
    """A warning if the document announces another number of records than it has."""
    if expected_records is None or expected_records == records:
        return ()
    message = f"the document says it has {expected_records} records, and has {records}"
    return (RuleWarning(rule="row_count", field="", message=message, records=0),)
