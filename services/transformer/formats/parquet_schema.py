"""What the footer of a Parquet file says of its columns, where polars does not pass it on: UUIDs, intervals.

https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift, in Thrift's compact protocol
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, Any

TRAILER = 8  # bytes: the length of the footer, and PAR1
SCHEMA, NAME, CHILDREN, CONVERTED, LOGICAL = 2, 4, 5, 6, 10  # numbers of fields: FileMetaData's, SchemaElement's
LOGICAL_UUID, CONVERTED_INTERVAL = 14, 21
STOP, TRUE, FALSE = 0, 1, 2  # types of the compact protocol; the others are in READERS


@dataclass(frozen=True)
class Node:
    """A column, or a group of them. `kind` is uuid, interval, or nothing that matters here."""

    kind: str = ""
    children: Mapping[str, "Node"] = field(default_factory=dict)


def columns(file: IO[bytes]) -> Mapping[str, Node]:
    """The columns at the top. Raises ValueError for what is no footer."""
    size = file.seek(0, 2)
    file.seek(max(0, size - TRAILER))
    length = int.from_bytes(file.read(4), "little")
    if length > size - TRAILER:
        message = "the footer is longer than the file"
        raise ValueError(message)
    file.seek(size - TRAILER - length)
    try:
        elements = iter(_struct(BytesIO(file.read(length)))[SCHEMA])
        return _node(elements).children
    except (LookupError, StopIteration, RecursionError, TypeError, AttributeError, OverflowError) as error:
        message = f"its footer cannot be read: {error!r}"
        raise ValueError(message) from error


def _node(elements: Iterator[dict[int, Any]]) -> Node:
    """The schema is a tree, written depth first."""
    return _named(elements)[1]


def _named(elements: Iterator[dict[int, Any]]) -> tuple[str, Node]:
    element = next(elements)
    kind = "uuid" if LOGICAL_UUID in element.get(LOGICAL, {}) else ""
    kind = "interval" if element.get(CONVERTED) == CONVERTED_INTERVAL else kind
    children = dict(_named(elements) for _ in range(element.get(CHILDREN, 0)))
    return element[NAME].decode(errors="replace"), Node(kind, children)


def _struct(data: BytesIO) -> dict[int, Any]:
    """{number of a field: its value}."""
    fields: dict[int, Any] = {}
    number = 0
    while (header := data.read(1)[0]) & 15 != STOP:
        number = number + (header >> 4) if header >> 4 else _integer(data)
        fields[number] = _value(data, header & 15)
    return fields


def _value(data: BytesIO, kind: int) -> Any:
    return READERS[kind](data)


def _list(data: BytesIO) -> list[Any]:
    header = data.read(1)[0]
    size = header >> 4 if header >> 4 < 15 else _varint(data)  # noqa: PLR2004 - then it follows
    kind = header & 15
    return [data.read(1)[0] if kind in (TRUE, FALSE) else _value(data, kind) for _ in range(size)]


def _integer(data: BytesIO) -> int:
    value = _varint(data)
    return (value >> 1) ^ -(value & 1)  # zigzag


def _varint(data: BytesIO) -> int:
    value, shift = 0, 0
    while True:
        byte = data.read(1)[0]
        value |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004 - the last one
            return value
        shift += 7


READERS: Mapping[int, Callable[[BytesIO], Any]] = {
    TRUE: lambda _: True,
    FALSE: lambda _: False,
    3: lambda data: data.read(1)[0],
    4: _integer,
    5: _integer,
    6: _integer,
    7: lambda data: data.read(8),  # a double
    8: lambda data: data.read(_varint(data)),  # a text
    9: _list,
    10: _list,  # a set
    12: _struct,
}
