"""The silver object: Parquet, a row a record with nested lists for child rows, and a header in the metadata."""

from collections.abc import Iterable
from datetime import datetime
from io import BytesIO
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, Double, Integer, Numeric, Table, Text
from sqlalchemy.types import TypeEngine

from shared.database.silver_tables import PROVENANCE
from shared.datasets import contract
from shared.datasets.contract import Tables
from shared.errors import PermanentError
from shared.fields import Count, Ordinal, RunId, Word
from shared.objects import ObjectId

HEADER = "smelt"  # the key of the header in the Parquet metadata
CONTENT_HASH = "content_hash"
RECORD_INDEX = "record_index"

DTYPES: dict[type[TypeEngine[Any]], pl.DataType] = {
    BigInteger: pl.Int64(),
    Integer: pl.Int32(),
    Boolean: pl.Boolean(),
    Double: pl.Float64(),
    Text: pl.String(),
    DateTime: pl.Datetime("us"),
}


class Counts(BaseModel):
    """Records: read = valid + quarantined."""

    model_config = ConfigDict(frozen=True)

    read: Count
    valid: Count
    quarantined: Count


class Header(BaseModel):
    """Where the rows come from. `run_id`, `part` and `page` are absent for uploads."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    dataset: Word
    transform_version: Count
    source: ObjectId
    observed_at: datetime
    run_id: RunId | None = None
    part: Ordinal | None = None
    page: Ordinal | None = None
    counts: Counts


def schema(tables: Tables) -> dict[str, pl.DataType]:
    """{column: type} of a dataset's silver frame, derived from its tables."""
    columns = {c.name: dtype(c.type) for c in tables.ROOT.columns if c.name != PROVENANCE}
    children = {child.name: pl.List(pl.Struct(child_schema(child))) for child in tables.CHILDREN}
    return {RECORD_INDEX: pl.Int32(), CONTENT_HASH: pl.Binary(), **columns, **children}


def child_schema(child: Table) -> dict[str, pl.DataType]:
    """{column: type} of a child table without the key of its root."""
    return {c.name: dtype(c.type) for c in child.columns if not c.foreign_keys}


def dtype(column: TypeEngine[Any]) -> pl.DataType:
    """The polars type for a column's type. Raises KeyError for one that no dataset has used yet."""
    if isinstance(column, ARRAY):
        return pl.List(dtype(column.item_type))
    if isinstance(column, Numeric) and not isinstance(column, Double):
        return pl.Decimal(column.precision, column.scale or 0)
    return DTYPES[type(column)]


def write(frame: pl.DataFrame, header: Header) -> bytes:
    """The object's bytes."""
    buffer = BytesIO()
    frame.write_parquet(buffer, compression="zstd", metadata={HEADER: header.model_dump_json()})
    return buffer.getvalue()


def read(body: bytes) -> tuple[Header, pl.DataFrame]:
    """The header and the rows. Raises PermanentError for what `write` did not write."""
    try:
        metadata = pl.read_parquet_metadata(BytesIO(body))
        header, frame = Header.model_validate_json(metadata[HEADER]), pl.read_parquet(BytesIO(body))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, KeyError, ValueError, OSError) as error:
        message = f"not a silver object: {type(error).__name__}: {error}"
        raise PermanentError(message) from error
    if dict(frame.schema) != schema(contract.tables(header.dataset)):
        message = f"not a silver object: its columns are not those of {header.dataset}"
        raise PermanentError(message)
    return header, frame


def child_rows(frame: pl.DataFrame, child: str, keys: Iterable[str]) -> pl.DataFrame:
    """One child table's rows, with the key columns of their records."""
    return frame.select(*keys, child).explode(child).filter(pl.col(child).is_not_null()).unnest(child)
