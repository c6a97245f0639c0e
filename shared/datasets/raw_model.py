"""The base of all raw models: what goes for every field of whatever a source sends."""

from pydantic import AliasChoices, BaseModel, ConfigDict
from pydantic.fields import FieldInfo


class RawModel(BaseModel):
    """White space round texts is no part of them; numbers where texts belong are texts; unknown fields are left alone.

    What Postgres cannot hold is refused by the transformer, and a blank text becomes null in a silver frame: a
    validator of our own for each field would cost more than all the rest of validation.
    """

    model_config = ConfigDict(str_strip_whitespace=True, coerce_numbers_to_str=True)


def aliases(name: str, field: FieldInfo) -> list[str]:
    """All names by which a source may call a field."""
    alias = field.validation_alias or field.alias or name
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [str(alias)]
