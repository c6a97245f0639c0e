"""Parquet: a record a row, read a slice at a time from a copy on disk, because its index is at its end."""

import io
import shutil
import tempfile
from collections.abc import Iterator
from typing import IO, Any

import orjson
import polars as pl

from services.transformer.content import Content, Encoded
from shared.errors import PermanentError

MAGIC = b"PAR1"
SLICE = 5_000  # rows; with row groups larger than that a group is held in memory as a whole


def read(stream: "io.BufferedReader[Any]") -> Content:
    """Records as they are read. Raises PermanentError for what is damaged."""
    copy = tempfile.NamedTemporaryFile(prefix="smelt-")  # noqa: SIM115 - closed, and so deleted, with the last record
    shutil.copyfileobj(stream, copy)
    copy.flush()
    try:
        rows = pl.scan_parquet(copy.name).select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        message = f"damaged Parquet: {error}"
        raise PermanentError(message) from error
    return Content(_records(copy, rows))


def _records(copy: "IO[bytes]", rows: int) -> Iterator[Encoded]:
    with copy:
        for start in range(0, rows, SLICE):
            try:
                frame = pl.scan_parquet(copy.name).slice(start, SLICE).collect()
            except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
                message = f"damaged Parquet: {error}"
                raise PermanentError(message) from error
            for row in frame.iter_rows(named=True):
                yield orjson.dumps(row, default=_text)


def _text(value: Any) -> str:
    """Decimals, times, bytes: as a CSV would have them."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
