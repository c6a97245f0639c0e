"""The base of all raw models: what goes for every field of whatever a source sends."""

from pydantic import AliasChoices, BaseModel, ConfigDict
from pydantic.fields import FieldInfo


class RawModel(BaseModel):
    """Numbers where texts belong are texts; unknown fields are left alone.

    What Postgres cannot hold is marked before (`services.transformer.unstorable`). White space round texts goes, and
    blank ones become null, in a silver frame: by validators, here, it would cost more than all the rest of validation.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)


def aliases(name: str, field: FieldInfo) -> list[str]:
    """All names by which a source may call a field."""
    alias = field.validation_alias or field.alias or name
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [str(alias)]
