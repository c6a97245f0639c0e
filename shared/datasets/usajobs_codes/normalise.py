"""From a code list to rows: one in `code_list`, one a code in `code`."""

from shared.datasets.child_rows import numbered
from shared.datasets.contract import Row
from shared.datasets.usajobs_codes.raw import Record

VERSION = 1


def normalise(record: Record) -> Row:
    """Rows of both tables."""
    return {
        "list_name": record.list_name,
        "code": numbered(record.codes),
    }
