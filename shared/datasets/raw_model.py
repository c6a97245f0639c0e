"""The base of all raw models: what goes for every field of whatever a source sends."""

import math
from functools import cache
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError


class RawModel(BaseModel):
    """White space round texts is no part of them, and a blank text is nothing at all; unknown fields are left alone.

    Refuses texts and numbers that Postgres cannot hold. It is one pass over an object's values: a validator of our own
    for each field would cost more than all the rest of validation.
    """

    model_config = ConfigDict(str_strip_whitespace=True, coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _cleaned(cls, data: Any) -> Any:
        if type(data) is not dict:
            return data
        cleaned = {}
        for name, value in data.items():
            if type(value) is str:
                if "\x00" in value:
                    cls._refuse(name, "string_with_nul", "contains U+0000, which Postgres cannot store")
                cleaned[name] = None if not value or value.isspace() else value
            else:
                if type(value) is float and not math.isfinite(value):
                    cls._refuse(name, "not_finite", "is no text, and no finite number")
                cleaned[name] = value
        return cleaned

    @classmethod
    def _refuse(cls, name: str, rule: str, message: str) -> None:
        """The field is in the error's context: its place is the object's."""
        if name in _names(cls):
            raise PydanticCustomError(rule, message, {"field": name})


def aliases(name: str, field: FieldInfo) -> list[str]:
    """All names by which a source may call a field."""
    alias = field.validation_alias or field.alias or name
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [str(alias)]


@cache
def _names(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(alias for name, field in model.model_fields.items() for alias in aliases(name, field))
