"""CSV with a header line: a record a row, all its values text."""

import csv
import io
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import orjson

from services.transformer.content import Content, Encoded, Unreadable
from services.transformer.formats.csv_header import Header, read_header
from services.transformer.formats.csv_lines import PATIENCE, Lines, Reader, Row
from services.transformer.formats.csv_values import Values
from services.transformer.formats.text_encoding import transcoded
from services.transformer.input_limits import InputLimits
from shared.datasets.dataset import Dataset
from shared.formats.quarantine import Problem


def read(stream: "io.BufferedReader[Any]", dataset: Dataset, bounds: InputLimits, before: int = 0) -> Content:
    """Records as they are read; `before` lines of the file have been read.

    Raises PermanentError where no header names what every record must have.
    """
    csv.field_size_limit(PATIENCE * bounds.record)
    dialect = dataset.csv
    source = Lines(transcoded(stream, dialect.encoding) if dialect.encoding else stream, bounds.record, before)
    deque(islice(source, dialect.skip), maxlen=0)
    header = read_header(source, dataset)
    comment = (dialect.comment or "").encode()
    reader = Reader(source, header.delimiter, len(header.fields), bounds.record, comment, dialect.quote_mark)
    return Content(_records(reader, header, Values(dataset)))


def _records(rows: Iterable[Row], header: Header, values: Values) -> Iterator[Encoded]:
    fields, width = header.fields, len(header.fields)
    for row in rows:
        if row.problem or len(row.values) != width:
            yield _rejected(row, row.problem or f"{len(row.values)} values for {width} columns")
            continue
        try:
            record = orjson.dumps(values.converted(dict(zip(fields, row.values, strict=True))))
        except orjson.JSONEncodeError:  # bytes that are not UTF-8 were let through, marked
            yield _rejected(row, "not UTF-8")
        else:
            yield record


def _rejected(row: Row, problem: str) -> Unreadable:
    """With all its lines as they stand in the file: whoever mends them needs no more."""
    return Unreadable(Problem(rule="csv", field="", message=f"{row.place}: {problem}"), row.raw.rstrip(b"\r\n"))
