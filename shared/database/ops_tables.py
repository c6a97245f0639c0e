"""Tables of schema `ops`: runs, the ledger, quarantine, drift, and operators' actions."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
    text,
    true,
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
    Column("expected_records", Integer, nullable=False, comment="distinct records the source said there are"),
    Column("planned_at", MOMENT, nullable=False, comment="S3's time of the plan"),
    Column("completed_at", MOMENT, comment="when the last planned page was in the ledger"),
    Column("distinct_records", Integer, comment="distinct records in the pages, counted at completion"),
    Column("warnings", JSONB, nullable=False, server_default="[]", comment="rules about the whole run that it failed"),
    Column("scheduled_for", MOMENT, comment="the time that its schedule meant"),
    Column(
        "rejected_reason",
        Text,
        comment="why nothing was fetched: its slot had a run, or the run before was still going",
    ),
    Column("start", JSONB, comment="the state of its source that it began from, if it did"),
)
# One run per slot, independent of Redis.
SCHEDULED_FOR = Index(
    "run_scheduled_for",
    RUN.c.dataset,
    RUN.c.trigger,
    RUN.c.scheduled_for,
    unique=True,
    postgresql_where=RUN.c.rejected_reason.is_(None),
)

# The ledger: one row per loaded batch of a bronze object and transform version, written in the transaction of its rows.
# A check constraint enforces conservation.
LOADED_OBJECT = Table(
    "loaded_object",
    METADATA,
    _identity(),
    Column("dataset", Text, nullable=False),
    *_bronze_identity(),
    Column("sequencer", Text),
    Column("batch", Integer, nullable=False, server_default="1"),
    Column(
        "is_last_batch", Boolean, nullable=False, server_default=true(), comment="whether it is the object's last batch"
    ),
    Column("silver_key", Text, nullable=False),
    Column("run_id", Text, index=True),
    Column("part", Integer),
    Column("page", Integer),
    Column("part_pages", Integer, comment="pages that its part was known to have when this one was fetched"),
    Column("part_rows", Integer, comment="rows that the source said its part has, on this page"),
    Column("observed_at", MOMENT, nullable=False),
    Column("definition", Text, comment="digest of the dataset's definition that made it"),
    Column("read", Integer, nullable=False),
    Column("inserted", Integer, nullable=False, server_default="0"),
    Column("updated", Integer, nullable=False, server_default="0"),
    Column("unchanged", Integer, nullable=False, server_default="0"),
    Column("stale", Integer, nullable=False, server_default="0"),
    Column("quarantined", Integer, nullable=False),
    Column("cursor", Text, comment="the largest cursor of its records, of an incremental source"),
    Column("natural_keys", ARRAY(Text), comment="natural keys on the page, kept until its run is complete"),
    Column("field_profile", JSONB, comment="{field: {JSON type: records}}, kept until its run is complete"),
    Column(
        "warnings",
        JSONB,
        nullable=False,
        server_default="[]",
        comment="rules that it failed and was loaded for all that",
    ),
    Column("loaded_at", MOMENT, nullable=False, server_default=func.now()),
    UniqueConstraint("bucket", "key", "version", "transform_version", "batch"),
    CheckConstraint("read = inserted + updated + unchanged + stale + quarantined", name="conservation"),
)


def fully_loaded_objects() -> Select[Any]:
    """Bronze objects with all batches loaded: identity, transform version, run, part, page."""
    identity = [LOADED_OBJECT.c[name] for name in ("bucket", "key", "version", "transform_version")]
    page = [
        func.max(LOADED_OBJECT.c[name]).label(name) for name in ("run_id", "part", "page", "part_pages", "observed_at")
    ]
    all_there = func.count() == func.max(LOADED_OBJECT.c.batch).filter(LOADED_OBJECT.c.is_last_batch)
    return select(*identity, *page).group_by(*identity).having(all_there)


def pages_of_parts(whole: str) -> str:
    """SQL of two common table expressions over `whole` objects: loaded `page`s, and `part` with its page counts.

    If a page was fetched again, the newer version counts. A part needs as many pages as its last page says, which may
    be fewer than planned; or the most that any page says, if that is more than planned.
    """
    return f"""
        page as (
            select part, page, (array_agg(part_pages order by observed_at desc))[1] as part_pages
            from ({whole}) as whole group by part, page
        ), part as materialized (
            select part, count(*) as pages, (array_agg(part_pages order by page desc))[1] as last,
                   max(part_pages) as most
            from page group by part
        )"""  # noqa: S608 - a statement of our own


# For a part of the plan, `plan.part`, and its loaded pages, `part`.
PLANNED_PAGES = "(plan.part ->> 'pages')::int"
NEEDED_PAGES = f"case when part.most > {PLANNED_PAGES} then part.most else coalesce(part.last, {PLANNED_PAGES}) end"

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
    Column("problems", JSONB, nullable=False),  # failed rules: [{"rule", "field", "message"}]
    Column("raw", Text, nullable=False),  # text, as jsonb cannot store some rejected values
    Column("natural_key", Text, comment="where the record is whole enough to tell"),
    Column("observed_at", MOMENT, nullable=False),
    Column("quarantined_at", MOMENT, nullable=False, server_default=func.now()),
    Column("closed_at", MOMENT, comment="when nobody had to care any more"),
    Column("closed_as", Text, comment="replayed or superseded"),
    UniqueConstraint("bucket", "key", "version", "transform_version", "record_index"),
    Index("quarantine_open", "dataset", "natural_key", postgresql_where=text("closed_at is null")),
)

# The baseline for drift: what a dataset's records have looked like recently.
FIELD_BASELINE = Table(
    "field_baseline",
    METADATA,
    Column("dataset", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("type", Text, primary_key=True, comment="JSON type, or =value of a field with known values"),
    Column("share", Double, nullable=False, comment="of the records, when last seen"),
    Column("first_seen_at", MOMENT, nullable=False),
    Column("last_seen_at", MOMENT, nullable=False),
)

SCHEMA_DRIFT = Table(
    "schema_drift",
    METADATA,
    _identity(),
    Column("dataset", Text, nullable=False),
    Column("source", Text, nullable=False, comment="run id, or the key of an upload"),
    Column("kind", Text, nullable=False, comment="unknown_field, vanished_field, type_change or new_value"),
    Column("path", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("records", Integer, nullable=False),
    Column("seen_at", MOMENT, nullable=False, server_default=func.now()),
    UniqueConstraint("source", "kind", "path", "detail"),
)

# How far complete runs of incremental sources have come. The object `state/…` in the bucket is a copy.
SOURCE_STATE = Table(
    "source_state",
    METADATA,
    Column("dataset", Text, primary_key=True),
    Column("params", JSONB, primary_key=True, comment="of the runs whose state it is"),
    Column("generation", Integer, nullable=False, server_default="0", comment="how often an operator has set it"),
    Column("cursor", Text, comment="the largest cursor of complete runs; null begins with the initial value"),
    Column("run_id", Text, comment="the run that it is from; null if an operator has set it"),
    Column("changed_at", MOMENT, nullable=False, server_default=func.now()),
)

# Columns that the loader added for fields that the contract does not declare (`evolution: evolve`).
EVOLVED_COLUMN = Table(
    "evolved_column",
    METADATA,
    Column("dataset", Text, primary_key=True),
    Column("path", Text, primary_key=True, comment="of the field in a record"),
    Column("column_name", Text, nullable=False),
    Column("type", Text, nullable=False, comment="boolean, bigint, numeric, date, jsonb or text"),
    Column("first_object", Text, nullable=False, comment="key of the object that had the field first"),
    Column("added_at", MOMENT, nullable=False, server_default=func.now()),
    Column("widened_at", MOMENT, comment="when its type was last changed"),
    UniqueConstraint("dataset", "column_name"),
)

# Actions of operators (replays, discards, …) and their outcome.
OPERATOR_ACTION = Table(
    "operator_action",
    METADATA,
    _identity(),
    Column("kind", Text, nullable=False, comment="dead_letter, quarantine, reprocess, schedule or source_state"),
    Column("operator", Text, nullable=False),
    Column("filter", JSONB, nullable=False),
    Column("started_at", MOMENT, nullable=False, server_default=func.now()),
    Column("finished_at", MOMENT),
    Column("matched", Integer, nullable=False),
    Column("processed", Integer, nullable=False, server_default="0"),
    Column("outcome", Text, nullable=False, server_default="under way"),
)
