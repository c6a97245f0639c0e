"""CSV with a header line: a record a row, all its values text."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import orjson

from services.transformer.bounds import Bounds
from services.transformer.content import Content, Encoded, Unreadable
from services.transformer.formats.csv_header import Header, read_header
from services.transformer.formats.csv_lines import Lines, Reader, Row
from shared.datasets.contract import Raw
from shared.quarantine import Problem


def read(stream: "io.BufferedReader[Any]", raw: Raw, bounds: Bounds, before: int = 0) -> Content:
    """Records as they are read; `before` lines of the file have been read.

    Raises PermanentError where no header names what every record must have.
    """
    csv.field_size_limit(bounds.record)
    source = Lines(stream, bounds.record, before)
    header = read_header(source, raw)
    return Content(_records(Reader(source, header.delimiter, len(header.fields), bounds.record), header))


def _records(rows: Iterator[Row] | Reader, header: Header) -> Iterator[Encoded]:
    for row in rows:
        try:
            problem = _problem(row, len(header.fields))
            record = b"" if problem else orjson.dumps(dict(zip(header.fields, row.values, strict=True)))
        except (UnicodeEncodeError, orjson.JSONEncodeError):  # bytes that are not UTF-8 were let through as marks
            problem = "not UTF-8"
        yield _rejected(row, problem) if problem else record


def _problem(row: Row, width: int) -> str:
    return row.problem or (f"{len(row.values)} values for {width} columns" if len(row.values) != width else "")


def _rejected(row: Row, problem: str) -> Unreadable:
    """With all its lines as they stand in the file: whoever mends them needs no more."""
    return Unreadable(Problem(rule="csv", field="", message=f"{row.place}: {problem}"), row.raw.rstrip(b"\r\n"))
