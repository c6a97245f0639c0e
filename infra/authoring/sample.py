"""Reads the first records of a file that has no dataset yet, with the transformer's own readers."""

import csv
import io
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from infra.authoring.dialect import dialect
from infra.authoring.file_content import LIMITS, opened
from services.transformer import formats
from services.transformer.formats import converted, json_lines, parquet, workbook
from services.transformer.formats.csv_header import DELIMITERS, LOOKED_AT, SEPARATOR, cleaned
from services.transformer.formats.csv_lines import Lines
from services.transformer.formats.foreign import refuse_foreign
from services.transformer.formats.text_encoding import as_utf8
from services.transformer.transform import parse
from shared import lenient_json
from shared.datasets.contract.document import SUFFIX
from shared.datasets.dataset import Dataset
from shared.errors import PermanentError

MAX_RECORDS = 100_000
EXCEL = "Excel"
OTHER_ENCODING = "cp1252"  # of CSV that is not UTF-8: that of Windows in Western Europe and America


@dataclass(frozen=True)
class _Outline:
    """What a file is: the fields by which its records are recognised, and where they lie in a document."""

    format: str
    fields: Sequence[str]
    records_path: tuple[str, ...] = ()
    encoding: str | None = None  # of CSV that is not Unicode
    sheet: str | None = None  # of a workbook


@dataclass(frozen=True)
class Sample:
    """The first records of a file; `unreadable` are those that cannot be parsed."""

    format: str
    records: Sequence[Mapping[str, Any]]
    unreadable: int
    options: Mapping[str, Any] = field(default_factory=dict)  # of the contract

    @property
    def texts(self) -> bool:
        """Whether all values are texts."""
        return self.format in {"CSV", EXCEL}


def read(path: Path, records_path: str | None = None, sheet: str | None = None) -> Sample:
    """The first records. Raises PermanentError for a file that smelt does not read."""
    with opened(path) as stream:
        outline = _outline(stream, records_path, int(sheet) if sheet and sheet.isdecimal() else sheet)
    with tempfile.TemporaryDirectory() as folder, opened(path) as stream:
        content = formats.read_upload(stream, _provisional(Path(folder), outline), LIMITS)
        records = [parse(encoded, LIMITS) for encoded in islice(content.records, MAX_RECORDS)]
    objects = [record for record in records if isinstance(record, dict)]
    if not objects:
        message = f"no records in this {outline.format} file"
        raise PermanentError(message)
    if outline.format == EXCEL:
        excel = {"excel": {"sheet": outline.sheet}} if sheet else {}
        return Sample(EXCEL, objects, len(records) - len(objects), excel)
    if outline.format == "CSV":
        return _csv(objects, len(records) - len(objects), outline.encoding)
    options = {"records": ".".join(outline.records_path)} if outline.records_path else {}
    return Sample(outline.format, objects, len(records) - len(objects), options)


def _csv(records: list[dict[str, Any]], unreadable: int, encoding: str | None) -> Sample:
    written = dialect(records)
    options = {**({"encoding": encoding} if encoding else {}), **written.options}
    plain = [written.plain(record) for record in records]
    return Sample("CSV", plain, unreadable, {"csv": options} if options else {})


def _outline(stream: "io.BufferedReader[Any]", records_path: str | None, sheet: str | int | None) -> _Outline:
    head = stream.peek(formats.LOOK)
    if head.startswith(workbook.MAGIC):
        values, name = workbook.as_csv(stream, sheet, LIMITS)
        with values:
            return replace(_csv_outline(values.read()), format=EXCEL, sheet=name)
    kind = converted.kind_of(head)
    if kind or head.startswith(parquet.MAGIC):
        return _with_schema(stream, kind)
    refuse_foreign(head)
    return _of_text(as_utf8(stream), records_path)


def _with_schema(stream: "io.BufferedReader[Any]", kind: str | None) -> _Outline:
    """Of Parquet, and of what is converted to it or to JSON lines."""
    if kind == "Avro":
        return _Outline(kind, ["record"])
    if kind is None:
        return _Outline("Parquet", list(pl.read_parquet_schema(io.BytesIO(stream.read()))))
    with converted.as_readable(stream, kind, LIMITS) as file:
        return _Outline(kind, list(pl.read_parquet_schema(io.BytesIO(file.read()))))


def _of_text(text: "io.BufferedReader[Any]", records_path: str | None) -> _Outline:
    begin = text.peek(formats.LOOK).lstrip()
    if begin.startswith(formats.BRACKETS):
        return _json(text.read(LIMITS.document), records_path)
    if json_lines.is_object(begin.partition(b"\n")[2].partition(b"\n")[0]):
        return _Outline("JSON lines", ["record"])
    return _csv_outline(text.read())


def _csv_outline(content: bytes) -> _Outline:
    encoding = None if _is_utf8(content) else OTHER_ENCODING
    text = content.decode(encoding, errors="replace").encode() if encoding else content
    stream: Any = io.BufferedReader(io.BytesIO(text))
    return _Outline("CSV", _csv_header(Lines(stream, LIMITS.record)), encoding=encoding)


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode(errors="surrogatepass")  # UTF-16 with bytes that are no character was marked so
    except UnicodeDecodeError:
        return False
    return True


def _json(content: bytes, records_path: str | None) -> _Outline:
    try:
        document = lenient_json.outline(content)
    except ValueError:
        return _Outline("JSON lines", ["record"])
    if isinstance(document, list):
        return _Outline("JSON", ["record"])
    lists = dict(_lists(document, ()))
    path = tuple(filter(None, records_path.split("."))) if records_path is not None else _longest(lists)
    if path and path not in lists:
        places = ", ".join(".".join(place) for place in lists) or "none"
        message = f"no list of records at {records_path}; lists are at: {places}"
        raise PermanentError(message)
    return _Outline("JSON", list(document)[:1] or ["record"], path)


def _lists(node: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    for name, value in node.items():
        if isinstance(value, dict):
            yield from _lists(value, (*path, name))
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            yield (*path, name), value


def _longest(lists: Mapping[tuple[str, ...], list[Any]]) -> tuple[str, ...]:
    return max(lists, key=lambda path: len(lists[path]), default=())


def _csv_header(source: Lines) -> list[str]:
    """The names in the first line of the width that most of the first lines have."""
    lines = [line.text for line in islice(source, LOOKED_AT) if line.whole]
    lines = [line for n, line in enumerate(lines) if n or not line.lower().strip('"').startswith(SEPARATOR)]
    readings = [[*_rows(lines, delimiter)] for delimiter in DELIMITERS]
    counts = [Counter(len(row) for row in rows if len(row) > 1) for rows in readings]
    best = max(range(len(DELIMITERS)), key=lambda n: counts[n].most_common(1)[0][::-1] if counts[n] else (0, 0))
    width = counts[best].most_common(1)[0][0] if counts[best] else 1
    header = next((row for row in readings[best] if len(row) == width), [])
    return [cleaned(name) or f"column {n}" for n, name in enumerate(header, start=1)]


def _rows(lines: Sequence[str], delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(lines, delimiter=delimiter)
    return (row for row in reader if any(row))


def _provisional(folder: Path, outline: _Outline) -> Dataset:
    """A dataset of any values, with the fields as its key: a CSV header is the line that has them."""
    properties = [
        {"name": name, "physicalName": f"c{n}", "logicalType": "object", "primaryKey": True}
        for n, name in enumerate(outline.fields)
    ]
    csv_options = {"encoding": outline.encoding} if outline.encoding else {}
    value = {"records": list(outline.records_path), "csv": csv_options, "excel": {"sheet": outline.sheet}}
    options = {"property": "smelt", "value": value}
    document = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "sample", "version": "1.0.0", "status": "draft"}
    schema = [{"name": "sample", "properties": properties}]
    path = folder / f"sample{SUFFIX}"
    path.write_text(json.dumps({**document, "customProperties": [options], "schema": schema}))
    return Dataset(path)
