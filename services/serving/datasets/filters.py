"""Filters of rows: `column=value`, `column.gte=value` and others, as SQL conditions. No I/O."""

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
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
    any_,
    literal,
    or_,
)
from sqlalchemy.types import TypeEngine

from services.serving.database import ApiError
from services.serving.datasets.catalog import ReadableTable
from shared.datasets.contract import field_types
from shared.datasets.silver_tables import DIALECT

VALUES: Mapping[type[TypeEngine[Any]], Any] = {
    BigInteger: field_types.whole(64),
    Integer: field_types.whole(32),
    SmallInteger: field_types.whole(16),
    Boolean: field_types.Flag,
    Double: field_types.Float,
    Text: field_types.Text,
    Date: field_types.Day,
    DateTime: field_types.Timestamp,
    Time: field_types.TimeOfDay,
    LargeBinary: field_types.Binary,
    Uuid: field_types.UuidText,
}
COMPARISONS: Mapping[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "eq": operator.eq,
    "ne": lambda column, value: column.is_distinct_from(value),
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
NULL = "null"
OPERATORS = (*COMPARISONS, NULL)


def conditions(table: ReadableTable, params: Iterable[tuple[str, str]]) -> list[ColumnElement[bool]]:
    """A condition for each param, all of which apply; of several values that a column may equal one suffices.

    Raises ApiError for an unknown column or operator, and for a value that is none of the column's type.
    """
    equal: dict[str, list[ColumnElement[bool]]] = {}
    others = []
    for param, text in params:
        name, _, comparison = param.partition(".")
        if name not in table.columns:
            raise ApiError(422, f"{table.name} has no column {name!r}; columns: {', '.join(table.columns)}")
        if (comparison or "eq") not in OPERATORS:
            raise ApiError(422, f"{param}: no operator {comparison!r}; operators: {', '.join(OPERATORS)}")
        condition = _condition(table.columns[name], comparison or "eq", param, text)
        if comparison in {"", "eq"}:
            equal.setdefault(name, []).append(condition)
        else:
            others.append(condition)
    return [*(or_(*alternatives) for alternatives in equal.values()), *others]


def _condition(column: "Column[Any]", comparison: str, param: str, text: str) -> ColumnElement[bool]:
    if comparison == NULL:
        return column.is_(None) if _value(Boolean(), param, text) else column.is_not(None)
    kind = column.type
    if isinstance(kind, ARRAY):
        if comparison != "eq":
            raise ApiError(422, f"{param}: of a list, one item can be given ({column.name}=item)")
        return literal(_value(kind.item_type, param, text), kind.item_type) == any_(column)
    return COMPARISONS[comparison](column, literal(_value(kind, param, text), kind))


def _value(kind: TypeEngine[Any], param: str, text: str) -> Any:
    if "\0" in text:
        raise ApiError(422, f"{param}: contains the character NUL")
    try:
        value = _adapter(kind, param).validate_python(text)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise ApiError(422, f"{param}: not a value of type {_name(kind)}: {message}") from error
    if value is None:
        raise ApiError(422, f"{param}: no value; rows without one: {param.partition('.')[0]}.{NULL}=true")
    return value


def _adapter(kind: TypeEngine[Any], param: str) -> TypeAdapter[Any]:
    if isinstance(kind, Numeric) and not isinstance(kind, Double):
        return TypeAdapter(field_types.decimal(kind.precision or 0, kind.scale or 0))
    if type(kind) not in VALUES:
        raise ApiError(422, f"{param}: values of type {_name(kind)} are not compared")
    return TypeAdapter(VALUES[type(kind)])


def _name(kind: TypeEngine[Any]) -> str:
    return kind.compile(DIALECT).lower()
