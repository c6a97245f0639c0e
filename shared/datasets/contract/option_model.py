"""The base of all models of options in a contract."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel


def segments(value: Any) -> Any:
    """The names in a path; other values as they are."""
    return tuple(value.split(".")) if isinstance(value, str) and value else value


Path = Annotated[tuple[str, ...], BeforeValidator(segments)]  # names of nested fields, written with points between


class OptionModel(BaseModel):
    """Options are written in camelCase; an unknown one is an error."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, use_attribute_docstrings=True)
