"""A row is a row."""

from shared.datasets.contract import Row
from shared.datasets.reference_table.raw import Record

VERSION = 1


def normalise(record: Record) -> Row:
    """Columns as they are."""
    return dict(record)
