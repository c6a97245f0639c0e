"""A row of a reference table; other columns than these are counted as drift and not kept."""

from shared.datasets.field_types import Day, Text
from shared.datasets.flat_defaults import COUNT, IGNORED, KNOWN_VALUES, LIMITS, RECORDS, TOTAL, VOLATILE  # noqa: F401
from shared.datasets.raw_model import RawModel

KEY = ("list", "code")


class Record(RawModel):
    """One code of a list, and since when and until when it holds."""

    list: Text
    code: Text
    label: Text = None
    valid_from: Day = None
    valid_to: Day = None
