"""Parquet: a record a row, read a slice at a time from a copy on disk, because its index is at its end.

Only columns of fields that we keep are read: those that are declared, or all if the dataset keeps undeclared
fields. Others are null in every record, so that drift names them.
"""

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import orjson
import polars as pl

from services.transformer.content import Content, Encoded, Unreadable
from services.transformer.formats import parquet_check, parquet_schema
from services.transformer.formats.parquet_check import SLICE
from services.transformer.formats.parquet_values import NOTHING, Convert, converter, plain
from shared.datasets.contract.raw_model import aliases
from shared.datasets.dataset import Dataset
from shared.errors import PermanentError
from shared.formats.quarantine import Problem

MAGIC = b"PAR1"


@dataclass(frozen=True)
class _Layout:
    """The columns to read with the types to read them as, how to make JSON of them, and those not to read."""

    types: pl.Schema
    converters: Mapping[str, Convert]
    unread: dict[str, Any]


def read(stream: "io.BufferedReader[Any]", dataset: Dataset) -> Content:
    """Records as they are read. Raises PermanentError for what is damaged, and for columns that nobody can read."""
    copy = tempfile.NamedTemporaryFile(prefix="smelt-")  # noqa: SIM115 - closed, and so deleted, with the last record
    try:
        shutil.copyfileobj(stream, copy)
        copy.flush()
        return _content(copy, dataset)
    except BaseException:
        copy.close()
        raise


def _content(copy: "IO[bytes]", dataset: Dataset) -> Content:
    declared = {alias for name, field in dataset.record_model.model_fields.items() for alias in aliases(name, field)}
    _refuse_damaged(copy.name, declared)  # before its schema is read
    try:
        nodes = parquet_schema.columns(copy)
    except ValueError as error:
        message = f"damaged Parquet: its footer, at the end: {error}"
        raise PermanentError(message) from error
    file = pl.scan_parquet(copy.name)
    schema = file.collect_schema()
    if dataset.rescues:
        _refuse_damaged(copy.name, undeclared := [name for name in schema if name not in declared])
        declared |= {name for name in undeclared if nodes.get(name, NOTHING).kind != "interval"}
    layout = _layout(schema, nodes, dataset.content_key, declared)
    return Content(_records(copy, file.select(pl.len()).collect().item(), layout))


def _refuse_damaged(path: str, columns: Iterable[str]) -> None:
    """Nothing of a damaged file is loaded (ADR 33), and what it does to its reader is not done to this process."""
    check = [sys.executable, "-P", parquet_check.__file__, path, *columns]
    done = subprocess.run(check, capture_output=True, text=True, check=False)  # noqa: S603 - names of our own fields
    problem = f"its reader ended with {done.returncode} at some byte" if done.returncode else done.stdout.strip()
    if problem:
        message = f"damaged Parquet: {problem}"
        raise PermanentError(message)


def _layout(
    schema: pl.Schema, nodes: Mapping[str, parquet_schema.Node], key: Sequence[str], declared: Collection[str]
) -> _Layout:
    if missing := [name for name in key if name not in schema]:
        message = f"Parquet that lacks the columns {', '.join(missing)}; it has {', '.join(schema)[:200]}"
        raise PermanentError(message)
    kept = {name: kind for name, kind in schema.items() if name in declared}
    for name in kept:
        if nodes.get(name, NOTHING).kind == "interval":
            message = f"Parquet column {name} is of intervals, which smelt does not read"
            raise PermanentError(message)
    converters = {name: converter(kind, nodes.get(name, NOTHING)) for name, kind in kept.items()}
    return _Layout(
        types=pl.Schema({name: plain(kind) for name, kind in kept.items()}),
        converters={name: convert for name, convert in converters.items() if convert},
        unread=dict.fromkeys(name for name in schema if name not in kept),
    )


def _records(copy: "IO[bytes]", rows: int, layout: _Layout) -> Iterator[Encoded]:
    with copy:
        for start in range(0, rows, SLICE):
            rows_read = pl.scan_parquet(copy.name).select(list(layout.types)).slice(start, SLICE).collect()
            frame = rows_read.cast(layout.types)
            for number, row in enumerate(frame.iter_rows(named=True), start=start + 1):
                yield _record(row, number, layout)


def _record(row: dict[str, Any], number: int, layout: _Layout) -> Encoded:
    values = layout.unread | row
    for name, convert in layout.converters.items():
        try:
            values[name] = convert(row[name])
        except (ValueError, OverflowError) as error:
            problem = Problem(rule="parquet", field=name, message=f"row {number}: {error}")
            return Unreadable(problem, orjson.dumps(row, default=str))
    return orjson.dumps(values, default=str, option=orjson.OPT_NON_STR_KEYS)
