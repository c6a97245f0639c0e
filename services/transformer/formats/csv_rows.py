"""CSV with a header line: a record a row, all its values text."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import orjson

from services.transformer.bounds import Bounds
from services.transformer.content import Content, Encoded, unreadable
from services.transformer.formats.json_lines import lines
from shared.datasets.contract import Raw
from shared.errors import PermanentError


class _Lines:
    """The stream's lines as text. Like csv.reader, it goes on after it has raised csv.Error for a line."""

    def __init__(self, stream: "io.BufferedReader[Any]", limit: int) -> None:
        self._lines, self._limit = lines(stream, limit), limit

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line, whole = next(self._lines)
        if not whole:
            message = f"a line of more than {self._limit} bytes"
            raise csv.Error(message)
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            message = f"not UTF-8: {error}"
            raise csv.Error(message) from error


def read(stream: "io.BufferedReader[Any]", raw: Raw, bounds: Bounds) -> Content:
    """Records as they are read. Raises PermanentError where the header does not name what every record must have."""
    csv.field_size_limit(bounds.record)
    reader = csv.reader(_Lines(stream, bounds.record), strict=True)
    try:
        header = next(reader)
    except (csv.Error, StopIteration) as error:
        header, why = [], f" ({error})"
    else:
        why = ""
    if missing := [name for name in raw.KEY if name not in header]:
        message = f"neither JSON nor Parquet, and as CSV it lacks the columns {', '.join(missing)}{why}"
        raise PermanentError(message)
    return Content(_records(reader, header))


def _records(reader: Iterator[list[str]], header: list[str]) -> Iterator[Encoded]:
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield unreadable("csv", str(error), b"")
            continue
        if not row:
            continue
        if len(row) != len(header):
            yield unreadable("csv", f"{len(row)} values for {len(header)} columns", ",".join(row).encode())
            continue
        yield orjson.dumps(dict(zip(header, row, strict=True)))
