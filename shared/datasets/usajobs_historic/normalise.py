"""From a posting to rows: its fields in `historic_joa`, and a table a list."""

from shared.datasets.child_rows import numbered
from shared.datasets.contract import Row
from shared.datasets.usajobs_historic.raw import Record

VERSION = 1

# The lists of a posting that have a table each, {field: table}.
LISTS = {
    "hiring_paths": "historic_joa_hiring_path",
    "job_categories": "historic_joa_category",
    "position_locations": "historic_joa_location",
}


def normalise(record: Record) -> Row:
    """Rows of all tables."""
    return {
        **{name: value for name, value in record.__dict__.items() if name not in LISTS},
        **{table: numbered(getattr(record, field)) for field, table in LISTS.items()},
    }
