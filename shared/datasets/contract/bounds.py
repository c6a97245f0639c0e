"""The bounds of a column's values."""

from collections.abc import Mapping
from datetime import date, time
from typing import Any

from pydantic import AwareDatetime, NaiveDatetime, StrictFloat, StrictInt, TypeAdapter

# {type of a column: reads a text of the contract}; bounds of other types are numbers
TEXTS: Mapping[str, TypeAdapter[Any]] = {
    "date": TypeAdapter(date),
    "time": TypeAdapter(time),
    "timestamp": TypeAdapter(NaiveDatetime),
    "timestamptz": TypeAdapter(AwareDatetime),
}
NUMBER: TypeAdapter[int | float] = TypeAdapter(StrictInt | StrictFloat)


def value(type_name: str, bound: Any) -> Any:
    """The bound as a value of the column's type. Raises ValueError where it is none."""
    if type_name in TEXTS:
        return TEXTS[type_name].validate_python(str(bound))
    return NUMBER.validate_python(bound)
