"""Types of columns: the standard's logical types, and Postgres's names for the physical ones."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from open_data_contract_standard.model import SchemaProperty

from shared.errors import PermanentError

# {logical type: its physical types, the default first}
PHYSICAL: Mapping[str, tuple[str, ...]] = {
    "string": ("text", "uuid", "bytea"),
    "integer": ("bigint", "integer", "smallint"),
    "number": ("double precision", "numeric"),
    "boolean": ("boolean",),
    "date": ("date",),
    "timestamp": ("timestamp", "timestamptz"),
    "time": ("time",),
    "object": ("jsonb",),
    "array": ("jsonb",),  # of anything but scalars
}
SYNONYMS = {
    "character varying": "text",
    "decimal": "numeric",
    "double": "double precision",
    "float8": "double precision",
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "string": "text",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "varchar": "text",
}
WRITTEN = re.compile(r"(?P<name>[a-z0-9 ]+?)\s*(\((?P<precision>\d+)(\s*,\s*(?P<scale>\d+))?\))?(?P<array>\[\])?")
MAX_DIGITS = 38  # of a decimal, in polars


@dataclass(frozen=True)
class ColumnType:
    """A physical type: `name` is one of PHYSICAL. `array` is for arrays of such values."""

    name: str
    precision: int = 0  # of a numeric
    scale: int = 0
    array: bool = False

    def __str__(self) -> str:
        digits = f"({self.precision},{self.scale})" if self.name == "numeric" else ""
        return f"{self.name}{digits}{'[]' if self.array else ''}"


def column_type(item: SchemaProperty, place: str) -> ColumnType:
    """The column type of a property. Raises PermanentError for an unsupported one."""
    logical = item.logicalType or "string"
    if logical == "array" and item.items and item.items.logicalType not in {None, "object", "array"}:
        inner = column_type(item.items, f"{place}, items")
        return ColumnType(inner.name, inner.precision, inner.scale, array=True)
    if logical not in PHYSICAL:
        message = f"{place}: logicalType {logical!r} is none of {', '.join(PHYSICAL)}"
        raise PermanentError(message)
    if item.physicalType is None:
        return ColumnType(_default(item, logical))
    return _parsed(item.physicalType, logical, place)


def _default(item: SchemaProperty, logical: str) -> str:
    options = item.logicalTypeOptions or {}
    if logical == "string" and options.get("format") == "uuid":
        return "uuid"
    return "timestamptz" if options.get("timezone") else PHYSICAL[logical][0]


def _parsed(written: str, logical: str, place: str) -> ColumnType:
    match = WRITTEN.fullmatch(written.strip().lower())
    name = match["name"].strip() if match else ""
    name = SYNONYMS.get(name, name)
    if match is None or name not in PHYSICAL[logical] or match["array"]:
        message = f"{place}: physicalType {written!r} of a {logical} is none of {', '.join(PHYSICAL[logical])}"
        raise PermanentError(message)
    if name != "numeric":
        if match["precision"]:
            message = f"{place}: physicalType {written!r}: a length is logicalTypeOptions.maxLength"
            raise PermanentError(message)
        return ColumnType(name)
    if not match["precision"] or not 0 < int(match["precision"]) <= MAX_DIGITS:
        message = f"{place}: numeric has a precision of at most {MAX_DIGITS} digits, and a scale: numeric(14,2)"
        raise PermanentError(message)
    return ColumnType(name, int(match["precision"]), int(match["scale"] or 0))
