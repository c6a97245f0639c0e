"""Schema `ops`: runs, the ledger of loaded objects, and rejected records."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

METADATA = MetaData(schema="ops")
MOMENT = DateTime(timezone=True)


def _identity() -> Column[int]:
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def _bronze_identity() -> tuple[Column[str] | Column[int], ...]:
    return (
        Column("bucket", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("version", Text, nullable=False),
        Column("transform_version", Integer, nullable=False),
    )


RUN = Table(
    "run",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("params", JSONB, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("parts", JSONB, nullable=False),  # [{"params", "rows", "pages"}]
    Column("planned_pages", Integer, nullable=False),
    Column("announced", Integer, nullable=False, comment="distinct records the source said there are"),
    Column("planned_at", MOMENT, nullable=False, comment="S3's time of the plan"),
    Column("completed_at", MOMENT, comment="when the last planned page was in the ledger"),
    Column("covered", Integer, comment="distinct records in the pages, counted at completion"),
)

# The ledger: one row for each bronze object and transform version that was loaded, written in the transaction of its
# rows. The check holds the conservation law in the database itself.
OBJECT = Table(
    "object",
    METADATA,
    _identity(),
    Column("dataset", Text, nullable=False),
    *_bronze_identity(),
    Column("sequencer", Text),
    Column("silver_key", Text, nullable=False),
    Column("run_id", Text, index=True),
    Column("part", Integer),
    Column("page", Integer),
    Column("observed_at", MOMENT, nullable=False),
    Column("read", Integer, nullable=False),
    Column("inserted", Integer, nullable=False, server_default="0"),
    Column("updated", Integer, nullable=False, server_default="0"),
    Column("unchanged", Integer, nullable=False, server_default="0"),
    Column("stale", Integer, nullable=False, server_default="0"),
    Column("quarantined", Integer, nullable=False),
    Column("keys", ARRAY(Text), comment="natural keys on the page, kept until its run is complete"),
    Column("loaded_at", MOMENT, nullable=False, server_default=func.now()),
    UniqueConstraint("bucket", "key", "version", "transform_version"),
    CheckConstraint("read = inserted + updated + unchanged + stale + quarantined", name="conservation"),
)

QUARANTINE = Table(
    "quarantine",
    METADATA,
    _identity(),
    Column("dataset", Text, nullable=False),
    *_bronze_identity(),
    Column("record_index", Integer, nullable=False),
    Column("run_id", Text, index=True),
    Column("rule", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("problems", JSONB, nullable=False),  # every rule it failed: [{"rule", "field", "message"}]
    Column("raw", Text, nullable=False),  # JSON text, not jsonb: what is rejected may be what jsonb cannot hold
    Column("quarantined_at", MOMENT, nullable=False, server_default=func.now()),
    UniqueConstraint("bucket", "key", "version", "transform_version", "record_index"),
)
