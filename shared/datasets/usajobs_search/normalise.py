"""From a posting to rows: the descriptor's fields in `job`, the details' in `job_details`, a table a list."""

from typing import Any

from pydantic import BaseModel

from shared.datasets.child_rows import numbered
from shared.datasets.contract import Row
from shared.datasets.usajobs_search.raw import Record

VERSION = 1

# The lists of the descriptor that have a table each, {field: table}.
LISTS = {
    "position_location": "job_location",
    "job_category": "job_category",
    "job_grade": "job_grade",
    "position_schedule": "job_schedule",
    "position_offering_type": "job_offering_type",
    "position_remuneration": "job_remuneration",
    "position_formatted_description": "job_formatted_description",
}


def normalise(record: Record) -> Row:
    """Rows of all tables. The pay in `job` is the first remuneration; `job_remuneration` has them all."""
    posting = record.matched_object_descriptor
    fields = posting.__dict__
    job = {name: value for name, value in fields.items() if name not in LISTS and name != "user_area"}
    pay = posting.position_remuneration[0] if posting.position_remuneration else None
    return {
        "control_number": record.matched_object_id,
        **job,
        "minimum_range": pay.minimum_range if pay else None,
        "maximum_range": pay.maximum_range if pay else None,
        "rate_interval_code": pay.rate_interval_code if pay else None,
        "job_details": [_details(posting.user_area.details)],
        **{table: numbered(fields[field]) for field, table in LISTS.items()},
    }


def _details(details: BaseModel) -> Row:
    row: dict[str, Any] = details.__dict__.copy()
    who = row.pop("who_may_apply")
    return {**row, "who_may_apply_code": who.code, "who_may_apply_name": who.name}
