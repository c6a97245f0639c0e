"""The silver object: Parquet, a row a record with nested lists for child rows, and a header in the metadata."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from io import BytesIO
from itertools import accumulate, count
from typing import Any, Literal, TypeVar, cast

import polars as pl
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Time,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from shared.datasets import definition, registry
from shared.datasets.dataset import Row, Tables
from shared.datasets.silver_tables import PROVENANCE
from shared.errors import NewerVersionError, PermanentError
from shared.fields import NonNegativeInt32, PositiveInt32, RunId, ShortText
from shared.formats.version import require_supported
from shared.storage.object_id import ObjectId

HEADER = "smelt"  # the key of the header in the Parquet metadata
CONTENT_HASH = "content_hash"
RECORD_INDEX = "record_index"
FEW_LISTS = 100  # to cut a series into so many costs as much as to group it
RAW = "raw"  # the record's JSON text, where it is to be kept
HASH_ONLY = "hash_only"  # whether a row is only key and hash, of content that the database should have
OURS = (RECORD_INDEX, CONTENT_HASH, HASH_ONLY, RAW)  # the columns before those of the dataset

DTYPES: dict[type[TypeEngine[Any]], pl.DataType] = {
    BigInteger: pl.Int64(),
    Integer: pl.Int32(),
    SmallInteger: pl.Int16(),
    JSONB: pl.String(),  # JSON text
    Boolean: pl.Boolean(),
    Double: pl.Float64(),
    Text: pl.String(),
    Date: pl.Date(),
    DateTime: pl.Datetime("us"),
    Time: pl.Time(),
    LargeBinary: pl.Binary(),
    Uuid: pl.String(),
}

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


class OutdatedError(Exception):
    """A batch by an older transform version lacks columns; `source` is the bronze object to make it from anew."""

    def __init__(self, source: ObjectId) -> None:
        super().__init__(source.key)
        self.source = source


class Counts(BaseModel):
    """Records: read = valid + quarantined."""

    model_config = ConfigDict(frozen=True)

    read: NonNegativeInt32
    valid: NonNegativeInt32
    quarantined: NonNegativeInt32


# What the raw records look like: {path of a field: {its JSON type, or =value where its values are known: occurrences}}.
# The path of a list's items ends with []; that of a record is empty.
Shape = dict[str, dict[str, int]]


@dataclass(frozen=True)
class HashOnlyRow:
    """A record that is known: its index in the object, the values of its natural key, and the hash of its content."""

    index: int
    key: tuple[Any, ...]
    content_hash: bytes


class RuleWarning(BaseModel):
    """A rule that warns and the number of records that failed it; 0 for a rule about the batch as a whole."""

    model_config = ConfigDict(frozen=True)

    rule: ShortText
    field: ShortText
    message: ShortText
    records: NonNegativeInt32


class Replayed(BaseModel):
    """What an object repeats: records out of the quarantine of another, by their index there."""

    model_config = ConfigDict(frozen=True)

    source: ObjectId
    transform_version: NonNegativeInt32
    observed_at: AwareDatetime
    indexes: tuple[NonNegativeInt32, ...]


class Header(BaseModel):
    """Where the rows come from. What is of a page is absent for uploads: `run_id` to `part_rows`.

    An object is one batch or several, numbered from 1; `last` says that no more follow.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    dataset: ShortText
    transform_version: NonNegativeInt32
    source: ObjectId
    observed_at: datetime
    run_id: RunId | None = None
    part: PositiveInt32 | None = None
    page: PositiveInt32 | None = None
    part_pages: PositiveInt32 | None = None
    part_rows: NonNegativeInt32 | None = None  # that the source said the part has, on this page
    batch: PositiveInt32 = 1
    last: bool = True
    counts: Counts
    warnings: tuple[RuleWarning, ...] = ()
    shape: Shape = {}
    replay: Replayed | None = None
    made_by: ShortText | None = None  # the release of smelt that wrote it
    definition: ShortText | None = None  # the digest of the dataset's definition that it was made by


def schema(tables: Tables) -> Mapping[str, pl.DataType]:
    """{column: type} of a dataset's silver frame, derived from its tables."""
    return _schema(tables.root, tables.children)


@cache
def _schema(root: Table, children: tuple[Table, ...]) -> Mapping[str, pl.DataType]:
    return {
        RECORD_INDEX: pl.Int32(),
        CONTENT_HASH: pl.Binary(),
        HASH_ONLY: pl.Boolean(),
        RAW: pl.String(),
        **{column.name: dtype(column.type) for column in root.columns if column.name != PROVENANCE},
        **{child.name: pl.List(pl.Struct(child_schema(child))) for child in children},
    }


def frame(rows: Sequence[Row], tables: Tables) -> pl.DataFrame:
    """Rows as the normalisers make them, with `record_index`, `content_hash`, maybe `raw`: a frame of the `schema`.

    White space round texts is no part of them, and a blank one is null. A column at a time, child rows of all records
    together: several times as fast as polars' own way with rows.
    """
    if not rows:
        return pl.DataFrame(schema=schema(tables))
    kinds = schema(tables)
    ours = {
        HASH_ONLY: pl.Series(HASH_ONLY, [False] * len(rows), kinds[HASH_ONLY]),
        RAW: pl.Series(RAW, [row.get(RAW) for row in rows], kinds[RAW]),  # as it came
    }
    of_rows = _columns(rows, {name: kind for name, kind in kinds.items() if name not in ours})
    columns = ours | {column.name: column for column in of_rows}
    return pl.DataFrame([columns[name] for name in kinds])


def with_hash_only_rows(frame: pl.DataFrame, sightings: Sequence[HashOnlyRow], tables: Tables) -> pl.DataFrame:
    """The frame with a row for each sighting; all its other columns are null."""
    if not sightings:
        return frame
    kinds = schema(tables)
    names = [column.name for column in tables.root.primary_key.columns]
    columns = zip(*(sighting.key for sighting in sightings), strict=True)
    keys = {name: pl.Series(name, values, kinds[name]) for name, values in zip(names, columns, strict=True)}
    rows = pl.DataFrame(
        {
            RECORD_INDEX: pl.Series([sighting.index for sighting in sightings], dtype=kinds[RECORD_INDEX]),
            CONTENT_HASH: [sighting.content_hash for sighting in sightings],
            HASH_ONLY: [True] * len(sightings),
            **keys,
        }
    )
    return pl.concat([frame, rows], how="diagonal").sort(RECORD_INDEX)


def _columns(rows: Sequence[Row], kinds: Mapping[str, pl.DataType]) -> list[pl.Series]:
    return [_column(name, [row[name] for row in rows], kind) for name, kind in kinds.items()]


def _column(name: str, values: Sequence[Any], kind: pl.DataType) -> pl.Series:
    """A list's items, and the fields of structs, are columns in turn."""
    match kind:
        case pl.List():
            items = _column(name, [item for value in values for item in value or ()], cast("pl.DataType", kind.inner))
            return _lists(items, [None if value is None else len(value) for value in values])
        case pl.Struct():
            fields = {field.name: cast("pl.DataType", field.dtype) for field in kind.fields}
            return pl.DataFrame(_columns(values, fields)).to_struct(name)
        case pl.String():
            return pl.Series(name, [value.strip() or None if value else None for value in values], dtype=kind)
        case _:
            return pl.Series(name, values, dtype=kind)


def _lists(items: pl.Series, lengths: Sequence[int | None]) -> pl.Series:
    """The items as lists of these lengths, one after another; None makes null."""
    return _cut(items, lengths) if len(lengths) <= FEW_LISTS else _grouped(items, lengths)


def _cut(items: pl.Series, lengths: Sequence[int | None]) -> pl.Series:
    starts = accumulate((length or 0 for length in lengths), initial=0)
    lists = [
        None if length is None else items.slice(start, length)
        for start, length in zip(starts, lengths, strict=False)  # the last start is the end
    ]
    return pl.Series(items.name, [*lists, items.clear()]).head(-1)  # one that is there tells their type


def _grouped(items: pl.Series, lengths: Sequence[int | None]) -> pl.Series:
    owners = pl.Series("owner", [n for n, length in enumerate(lengths) for _ in range(length or 0)], dtype=pl.Int32)
    full = (
        pl.DataFrame([owners.set_sorted(), items])
        .group_by("owner", maintain_order=True)
        .agg(items.name)
        .get_column(items.name)
    )
    if all(lengths):
        return full
    place, empty = count(), len(full)
    places = [next(place) if length else None if length is None else empty for length in lengths]
    return full.append(pl.Series([[]], dtype=full.dtype)).gather(pl.Series(places, dtype=pl.UInt32))


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
    frame.write_parquet(buffer, compression="zstd", statistics=False, metadata={HEADER: header.model_dump_json()})
    return buffer.getvalue()


def read(body: bytes) -> tuple[Header, pl.DataFrame]:
    """The header and the rows. Raises PermanentError for what `write` did not write.

    During an upgrade there are batches of both versions: raises NewerVersionError for one that a newer transformer
    wrote, and OutdatedError for one of an older transformer that lacks what this version needs. Raises
    ChangedDefinitionError where the dataset's files are no longer those that this process runs.
    """
    try:
        text = pl.read_parquet_metadata(BytesIO(body))[HEADER]
        header, frame = _header(text), pl.read_parquet(BytesIO(body))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, KeyError, ValueError, OSError) as error:
        message = f"not a silver object: {type(error).__name__}: {error}"
        raise PermanentError(message) from error
    registry.check_name(header.dataset)
    definition.refuse_changed(header.dataset)
    frame = _with_newer_columns(frame)
    if dict(frame.schema) != schema(registry.dataset(header.dataset).tables):
        _refuse_other_version(header)
        message = f"not a silver object: its columns are not those of {header.dataset}{_other_definition(header)}"
        raise PermanentError(message)
    return header, frame


def _header(text: str) -> Header:
    try:
        return Header.model_validate_json(text)
    except ValidationError:
        require_supported(text, "schema_version", "a batch")
        raise


def _other_definition(header: Header) -> str:
    ours, version = registry.dataset(header.dataset).digest, header.transform_version
    if header.definition in {None, ours}:
        return ""
    return f"; definition {header.definition} made it, ours is {ours}, both are version {version}: raise VERSION"


def _refuse_other_version(header: Header) -> None:
    """Other columns than ours are right where another version of the dataset's transform wrote them."""
    ours = registry.dataset(header.dataset).version
    if header.transform_version > ours:
        what = f"a batch of {header.dataset} by transform version {header.transform_version}"
        raise NewerVersionError(what)
    if header.transform_version < ours:
        raise OutdatedError(header.source)


def _with_newer_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """A batch that a transformer of an older version wrote, during an upgrade, lacks the columns that came later."""
    if tuple(frame.columns[: len(OURS)]) == OURS:
        return frame
    newer = {HASH_ONLY: pl.lit(value=False), RAW: pl.lit(None, dtype=pl.String)}
    added = frame.with_columns(**{name: value for name, value in newer.items() if name not in frame.columns})
    first = [name for name in OURS if name in added.columns]
    return added.select(*first, pl.exclude(first))


def child_rows(frame: Frame, child: str, keys: Iterable[str]) -> Frame:
    """One child table's rows, with the key columns of their records."""
    return frame.select(*keys, child).explode(child, empty_as_null=False, keep_nulls=False).unnest(child)
