"""The base of all raw models: what goes for every field of whatever a source sends."""

from collections.abc import Callable, Iterator
from typing import Any, get_args

from pydantic import AliasChoices, BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema


def aliases(name: str, field: FieldInfo) -> list[str]:
    """All names by which a source may call a field."""
    alias = field.validation_alias or field.alias or name
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [str(alias)]


def has_value(value: Any) -> bool:
    """Whether a raw value is more than null, a blank text, or an empty list or object."""
    return bool(value.strip()) if isinstance(value, str) else value is not None and value not in ([], {})


def fields(model: type[BaseModel], path: str = "") -> Iterator[tuple[list[str], FieldInfo]]:
    """Every field of a model and of those in it, with its paths by all its names; those of a list's items have `[]`."""
    for name, field in model.model_fields.items():
        places = [f"{path}.{alias}" if path else alias for alias in aliases(name, field)]
        yield places, field
        for inner, is_list in _models(field.annotation):
            for place in places:
                yield from fields(inner, f"{place}[]" if is_list else place)


def names(model: type[BaseModel], place: str = "") -> Iterator[tuple[str, str]]:
    """Place and name of every field, by all its names: ("", "id"), ("place.", "lat"), ("readings[].", "at")."""
    for name, field in model.model_fields.items():
        for alias in aliases(name, field):
            yield place, alias
            for inner, is_list in _models(field.annotation):
                yield from names(inner, f"{place}{alias}[]." if is_list else f"{place}{alias}.")


def _models(annotation: Any, *, in_list: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, in_list
    else:
        is_list = in_list or getattr(annotation, "__origin__", None) is list
        for inner in get_args(annotation):
            yield from _models(inner, in_list=is_list)


def _chooser(several: list[list[str]]) -> Callable[[Any], Any]:
    """Leaves one spelling of each field, the first with a value, where a record has more than one of them."""
    others = [name for names in several for name in names[1:]]

    def choose(record: Any) -> Any:
        if not isinstance(record, dict) or not any(map(record.__contains__, others)):
            return record
        for names in several:
            present = [name for name in names if name in record]
            if len(present) > 1:
                chosen = next((name for name in present if has_value(record[name])), present[0])
                record = {name: value for name, value in record.items() if name == chosen or name not in present}
        return record

    return choose


class RawModel(BaseModel):
    """Numbers where texts belong are texts; unknown fields are left alone; the first spelling with a value counts.

    What Postgres cannot hold was replaced before (`services.transformer.invalid_values`). White space round texts is
    stripped, and blank texts become null, in a silver frame: validators here would cost more than all other validation.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True, protected_namespaces=())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        several = [names for names in (aliases(*item) for item in cls.model_fields.items()) if len(names) > 1]
        return core_schema.no_info_before_validator_function(_chooser(several), schema) if several else schema
