"""Whether the parts of a dataset fit together: checked once, before its first record."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, get_args

import polars as pl
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import SchemaError
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Text,
    Time,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from shared import natural_key
from shared.datasets import registry
from shared.datasets.contract import bounds
from shared.datasets.contract.document import BOUNDS, RECORD_ID, RESCUED
from shared.datasets.contract.document import Table as ContractTable
from shared.datasets.contract.raw_model import aliases
from shared.datasets.dataset import Row, Tables
from shared.datasets.silver_tables import DIALECT, PROVENANCE
from shared.errors import PermanentError

# What a silver frame takes for a column of each type.
TYPES: Mapping[type[TypeEngine[Any]], tuple[type, ...]] = {
    BigInteger: (int,),
    Integer: (int,),
    SmallInteger: (int,),
    JSONB: (str,),
    Numeric: (Decimal, int),
    Double: (float, int),
    Boolean: (bool,),
    Text: (str,),
    Date: (date,),
    DateTime: (datetime,),
    Time: (time,),
    LargeBinary: (bytes,),
    Uuid: (str,),
}
ENGINE_COLUMNS = frozenset((PROVENANCE, RECORD_ID, RESCUED))  # their values are not of the record's row
NARROWER = {bool: int, datetime: date}  # subclasses in Python, and other types to a frame
# Values as sources send them: a field's own is the first that it accepts.
SAMPLES = ("x", "1", "2000-01-01", "2000-01-01T00:00:00", "12:00:00", "00000000-0000-0000-0000-000000000000")


def check_all(_: object = None) -> None:
    """Of a worker, before it starts. Raises PermanentError with a line for each fault of any dataset."""
    if lines := [line for dataset in registry.names() for line in faults(dataset)]:
        raise PermanentError("\n".join(lines))


@cache
def check(dataset: str) -> None:
    """Raises PermanentError for a dataset whose model and tables do not fit together."""
    if lines := faults(dataset):
        raise PermanentError("; ".join(lines))


def faults(dataset: str) -> list[str]:
    """A line for each: dataset, column, and what does not fit."""
    try:
        tables, row = registry.dataset(dataset).tables, _sample_row(dataset)
        _ = registry.dataset(dataset).cursor
    except PermanentError as error:
        return [f"dataset {dataset}: {error}"]
    contract = registry.dataset(dataset).contract.tables
    lines = [*_key_faults(tables), *_limit_faults(contract), *_rule_faults(contract), *_row_faults(tables, row)]
    return [f"dataset {dataset}: {line}" for line in lines]


def _key_faults(tables: Tables) -> Iterator[str]:
    for column in tables.root.primary_key.columns:
        if not natural_key.can_be_key(column.type):
            yield f"{column} is {_words(column)}, which cannot be part of a natural key"


def _limit_faults(tables: Sequence[ContractTable]) -> Iterator[str]:
    """Patterns and bounds that cannot be evaluated."""
    for table in tables:
        for column in table.columns:
            try:
                TypeAdapter(Annotated[str, Field(pattern=column.limits.get("pattern"))])  # has polars' engine
            except SchemaError as error:
                yield f"{table.name}.{column.name}: pattern: {' '.join(str(error).split())}"
            for word in BOUNDS:
                if word in column.limits and not _is_bound(column.type.name, column.limits[word]):
                    yield f"{table.name}.{column.name}: {word} {column.limits[word]!r} is no {column.type.name}"


def _is_bound(type_name: str, bound: object) -> bool:
    try:
        bounds.value(type_name, bound)
    except ValueError:
        return False
    return True


def _rule_faults(tables: Sequence[ContractTable]) -> Iterator[str]:
    """Expressions that are no SQL, or name other columns than the table's; a root table's may name child tables."""
    for number, table in enumerate(tables):
        names = {column.name for column in table.columns} | {child.name for child in tables[1:] if number == 0}
        for rule in table.rules:
            try:
                unknown = set(pl.sql_expr(rule.expression).meta.root_names()) - names
            except pl.exceptions.PolarsError as error:
                yield f"{table.name}: rule {rule.name}: {error}"
            else:
                yield from (
                    f"{table.name}: rule {rule.name} names {name}, which is no column" for name in sorted(unknown)
                )


def _row_faults(tables: Tables, row: Row | None) -> Iterator[str]:
    root = [column for column in tables.root.columns if column.name not in ENGINE_COLUMNS]
    yield from _faults_of(root, None if row is None else [row])
    for child in tables.children:
        own = [column for column in child.columns if not column.foreign_keys]
        if row is not None and child.name not in row:
            yield f"normalise gives no rows of {child}"
        else:
            yield from _faults_of(own, None if row is None else row[child.name])


def _faults_of(columns: Sequence[Column[Any]], rows: Sequence[Row] | None) -> Iterator[str]:
    for column in columns:
        if not _allowed(column.type):
            yield f"{column} is {_words(column)}, for which silver frames have no type"
        elif rows and column.name not in rows[0]:
            yield f"{column} is {_words(column)}, and normalise gives no value of it"
        elif rows and not _fits(value := rows[0][column.name], column.type):
            yield f"{column} is {_words(column)}, and normalise gives {_named(value)}"


def _allowed(kind: TypeEngine[Any]) -> tuple[type, ...]:
    if isinstance(kind, ARRAY):
        return (list,) if _allowed(kind.item_type) else ()
    return TYPES[Numeric] if isinstance(kind, Numeric) and not isinstance(kind, Double) else TYPES.get(type(kind), ())


def _fits(value: Any, kind: TypeEngine[Any]) -> bool:
    if value is None:
        return True
    if isinstance(kind, ARRAY):
        return isinstance(value, list) and all(_fits(item, kind.item_type) for item in value)
    allowed = _allowed(kind)
    return isinstance(value, allowed) and (NARROWER.get(type(value)) not in allowed or type(value) in allowed)


def _words(column: Column[Any]) -> str:
    return column.type.compile(DIALECT)


def _named(value: Any) -> str:
    name = type(value).__name__
    return f"{name} of {_named(value[0])}" if isinstance(value, list) and value else name


def _sample_row(dataset: str) -> Row | None:
    """The rows of a record with a value in every field that one could be made up for; None where none could."""
    record = registry.dataset(dataset).record_model
    try:
        return registry.dataset(dataset).normalise(record.model_validate(_sample(record)))
    except Exception:  # noqa: BLE001 - a normaliser may want more of its values than their types say
        return None


def _sample(model: type[BaseModel]) -> dict[str, Any]:
    """A record as a source could send it."""
    samples = {aliases(name, field)[0]: _value(model, name, field) for name, field in model.model_fields.items()}
    return {name: value for name, value in samples.items() if value is not None}


def _value(model: type[BaseModel], name: str, field: FieldInfo) -> Any:
    if field.annotation is Any or field.annotation is object:
        return None
    nested = [_sample(inner) for inner in _models(field.annotation)]
    candidates = [*nested, *([one] for one in nested), *SAMPLES, *([one] for one in SAMPLES), {}]
    return next((value for value in candidates if _accepts(model, name, value)), None)


def _accepts(model: type[BaseModel], name: str, value: Any) -> bool:
    """Whether a field takes this value for one; what it makes of it may be that there is none."""
    record = model.model_construct()
    try:
        model.__pydantic_validator__.validate_assignment(record, name, value)
    except ValidationError:
        return False
    return getattr(record, name) not in (None, [])


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]
