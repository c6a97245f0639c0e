"""The natural key of a rejected record in the database's canonical form, by which later records close its entry."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from sqlalchemy import Column

from services.transformer.fingerprint import MAX_KEY_LENGTH
from shared import natural_key
from shared.datasets import registry
from shared.datasets.contract.raw_model import RawModel, aliases


def stored_key(record: object, dataset: str) -> str | None:
    """The parts separated by tabs, or None if any is missing. A part of a wrong type is left as sent."""
    if not isinstance(record, dict) or registry.dataset(dataset).appends:
        return None
    texts = list(_texts(record, dataset))
    if not texts or not all(text and text.isprintable() for text in texts):
        return None
    return "\t".join(texts)[:MAX_KEY_LENGTH]


def _texts(record: dict[str, Any], dataset: str) -> Iterator[str]:
    columns = registry.dataset(dataset).tables.root.primary_key.columns
    for (name, kind), column in zip(_key_types(dataset).items(), columns, strict=True):
        value = record.get(name)
        try:
            value = kind.validate_python(value)
        except ValidationError:  # no row can have it, but operators may look for it
            value = value if isinstance(value, (str, int)) else None
        yield "" if value is None else _canonical(value, column)


def _canonical(value: Any, column: Column[Any]) -> str:
    """The value in canonical form; unchanged if the column cannot hold it."""
    text = value if isinstance(value, bytes) else str(value).strip()
    values = natural_key.parse([text], [column])
    return natural_key.text(values, [column]) if values else str(value).strip()


@cache
def _key_types(dataset: str) -> dict[str, TypeAdapter[Any]]:
    raw = registry.dataset(dataset)
    fields = {alias: field for name, field in raw.record_model.model_fields.items() for alias in aliases(name, field)}
    return {name: TypeAdapter(_kind(fields[name]), config=RawModel.model_config) for name in raw.key_fields}


def _kind(field: FieldInfo) -> Any:
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
