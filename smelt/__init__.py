"""What code beside a data contract may import. These names are stable: they change with a major version only.

`normalise(row)` takes and returns a `Row`. `SOURCE` is a `Source`, or a `SequentialSource` where each `ReceivedPage`
says how to ask for the next one; it makes `Request`s, plans a `Plan` of `Part`s, and raises `UnexpectedAnswerError` for
a response that is not of its shape (it is tried again) and `PermanentError` for wrong parameters.
"""

from shared.datasets.dataset import Row
from shared.datasets.source import (
    NO_COUNTS,
    PageCounts,
    Params,
    Part,
    Plan,
    ReceivedPage,
    Request,
    SequentialSource,
    Source,
    UnexpectedAnswerError,
    record_list,
)
from shared.errors import PermanentError, TransientError
from shared.version import VERSION as __version__  # noqa: N811 - its usual name

__all__ = [
    "NO_COUNTS",
    "PageCounts",
    "Params",
    "Part",
    "PermanentError",
    "Plan",
    "ReceivedPage",
    "Request",
    "Row",
    "SequentialSource",
    "Source",
    "TransientError",
    "UnexpectedAnswerError",
    "__version__",
    "record_list",
]
