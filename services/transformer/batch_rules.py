"""Rules about a batch as a whole. Those about a run as a whole are the loader's, which knows the runs before it."""

from collections import Counter

from services.transformer.gate import Problems
from shared.datasets.contract.options import BatchLimits
from shared.errors import PermanentError
from shared.formats.silver import RuleWarning


def refuse_failed(problems: Problems, records: int, limits: BatchLimits) -> None:
    """Raises PermanentError where so many records failed that something else must be wrong."""
    if records < limits.smallest or len(problems) <= limits.failed_share * records:
        return
    rules = Counter(found[0].rule for found in problems.values())
    (rule, times), *_ = rules.most_common(1)
    index, (first, *_) = next((index, found) for index, found in sorted(problems.items()) if found[0].rule == rule)
    message = (
        f"{len(problems)} of {records} records failed, most often {rule} ({times}): the batch is refused; the first of"
        f" them is record {index}: {first.message}"
    )
    raise PermanentError(message)


def warn_of_count(expected_records: int | None, records: int) -> tuple[RuleWarning, ...]:
    """Where a document says that it holds another number of records than it does."""
    if expected_records is None or expected_records == records:
        return ()
    message = f"the document says it has {expected_records} records, and has {records}"
    return (RuleWarning(rule="row_count", field="", message=message, records=0),)
