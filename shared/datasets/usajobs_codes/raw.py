"""A code list as the API sends it: its name and its codes."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_pascal

from shared.datasets.contract import BatchLimits
from shared.datasets.field_types import Flag, Items, Moment, Text
from shared.datasets.raw_model import RawModel

RECORDS = ("CodeList",)
COUNT: tuple[str, ...] = ()
TOTAL: tuple[str, ...] = ()
KEY = ("id",)
KNOWN_VALUES: dict[str, frozenset[str]] = {}
IGNORED: frozenset[str] = frozenset()
VOLATILE: frozenset[str] = frozenset()
LIMITS = BatchLimits()


class _Model(RawModel):
    model_config = ConfigDict(alias_generator=to_pascal)


class Code(_Model):
    """One code and what it stands for; some lists add what it belongs to."""

    code: Text
    value: Text = None
    parent_code: Text = None
    job_family: Text = None
    last_modified: Moment = None
    is_disabled: Flag = None


class Record(_Model):
    """A list. Its name differs from the one in the address at most by capitals, and is kept without them."""

    list_name: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=200)] = (
        Field(alias="id")
    )
    codes: Items[Code] = Field(alias="ValidValue")
