"""What the silver tables of every dataset have in common."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects.postgresql.base import PGDialect

METADATA = MetaData(schema="silver")
PROVENANCE = "object_id"
DIALECT = PGDialect()  # type: ignore[no-untyped-call] # to compile types of columns


# The JSON of records as they came, for those who want it beside the rows (`keep_raw`); bronze has it in any case.
RAW = Table(
    "raw",
    METADATA,
    Column("dataset", Text, primary_key=True),
    Column("natural_key", Text, primary_key=True, comment="its parts separated by tabs"),
    Column("raw", Text, nullable=False),
    Column(PROVENANCE, BigInteger, nullable=False),
)


def provenance() -> Column[int]:
    """The column of a root table that points to the `ops.loaded_object` its content came from."""
    return Column(PROVENANCE, BigInteger, nullable=False)


def last_seen(root: Table) -> Table:
    """The narrow table beside a root table: the newest observation of each record, and the fence against older ones.

    An unchanged record touches only this table. `content_hash` is of the content in the root table; the columns from
    `observed_at` to `transform_version` are a `shared.formats.observation.Observation`; `inactive_since` is when a
    complete run did not bring it any more.
    """
    return Table(
        f"{root.name}_last_seen",
        METADATA,
        *(Column(key.name, key.type, primary_key=True, autoincrement=False) for key in root.primary_key.columns),
        Column("observed_at", DateTime(timezone=True), nullable=False),
        Column("source_key_hash", BigInteger, nullable=False),
        Column("sequencer", Text(collation="C"), nullable=False),
        Column("transform_version", Integer, nullable=False),
        Column("content_hash", LargeBinary, nullable=False),
        Column(PROVENANCE, BigInteger, nullable=False),
        Column("first_seen_at", DateTime(timezone=True), nullable=False),
        Column("inactive_since", DateTime(timezone=True)),
    )
