"""Schema ops: runs, ledger, quarantine, drift, operators' actions; raw records of every dataset."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "ops_001"
down_revision = None
branch_labels = ("ops",)
depends_on = None

# Long texts are compressed with lz4 where the server has it: two thirds more rows a second than with pglz.
# A server without lz4 refuses the value; who does not own the database may not set it. Both cost speed only.
USE_LZ4 = """
do $$ begin
    execute format('alter database %I set default_toast_compression = lz4', current_database());
exception when invalid_parameter_value or insufficient_privilege then
    raise notice 'default_toast_compression stays as it is: %', sqlerrm;
end $$
"""


def upgrade() -> None:
    op.create_table(
        "evolved_column",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False, comment="of the field in a record"),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False, comment="boolean, bigint, numeric, date, jsonb or text"),
        sa.Column("first_object", sa.Text(), nullable=False, comment="key of the object that had the field first"),
        sa.Column("added_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("widened_at", sa.DateTime(timezone=True), nullable=True, comment="when its type was last changed"),
        sa.PrimaryKeyConstraint("dataset", "path"),
        sa.UniqueConstraint("dataset", "column_name"),
        schema="ops",
    )
    op.create_table(
        "field_baseline",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False, comment="JSON type, or =value of a field with known values"),
        sa.Column("share", sa.Double(), nullable=False, comment="of the records, when last seen"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("dataset", "path", "type"),
        schema="ops",
    )
    op.create_table(
        "loaded_object",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("transform_version", sa.Integer(), nullable=False),
        sa.Column("sequencer", sa.Text(), nullable=True),
        sa.Column("batch", sa.Integer(), server_default="1", nullable=False),
        sa.Column(
            "is_last_batch",
            sa.Boolean(),
            server_default=sa.text("true"),
            nullable=False,
            comment="whether it is the object's last batch",
        ),
        sa.Column("silver_key", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("part", sa.Integer(), nullable=True),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column(
            "part_pages",
            sa.Integer(),
            nullable=True,
            comment="pages that its part was known to have when this one was fetched",
        ),
        sa.Column(
            "part_rows", sa.Integer(), nullable=True, comment="rows that the source said its part has, on this page"
        ),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("definition", sa.Text(), nullable=True, comment="digest of the dataset's definition that made it"),
        sa.Column("read", sa.Integer(), nullable=False),
        sa.Column("inserted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("updated", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unchanged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("stale", sa.Integer(), server_default="0", nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.Column(
            "cursor", sa.Text(), nullable=True, comment="the largest cursor of its records, of an incremental source"
        ),
        sa.Column(
            "natural_keys",
            sa.ARRAY(sa.Text()),
            nullable=True,
            comment="natural keys on the page, kept until its run is complete",
        ),
        sa.Column(
            "field_profile",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="{field: {JSON type: records}}, kept until its run is complete",
        ),
        sa.Column(
            "warnings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="[]",
            nullable=False,
            comment="rules that it failed and was loaded for all that",
        ),
        sa.Column("loaded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("read = inserted + updated + unchanged + stale + quarantined", name="conservation"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("bucket", "key", "version", "transform_version", "batch"),
        schema="ops",
    )
    op.create_index(op.f("ix_ops_loaded_object_run_id"), "loaded_object", ["run_id"], unique=False, schema="ops")
    op.create_table(
        "operator_action",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="dead_letter, quarantine, reprocess, schedule or source_state"
        ),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("filter", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("matched", sa.Integer(), nullable=False),
        sa.Column("processed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("outcome", sa.Text(), server_default="under way", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="ops",
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("transform_version", sa.Integer(), nullable=False),
        sa.Column("record_index", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("problems", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("natural_key", sa.Text(), nullable=True, comment="where the record is whole enough to tell"),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("quarantined_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True, comment="when nobody had to care any more"),
        sa.Column("closed_as", sa.Text(), nullable=True, comment="replayed or superseded"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("bucket", "key", "version", "transform_version", "record_index"),
        schema="ops",
    )
    op.create_index(op.f("ix_ops_quarantine_run_id"), "quarantine", ["run_id"], unique=False, schema="ops")
    op.create_index(
        "quarantine_open",
        "quarantine",
        ["dataset", "natural_key"],
        unique=False,
        schema="ops",
        postgresql_where=sa.text("closed_at is null"),
    )
    op.create_table(
        "run",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("parts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("planned_pages", sa.Integer(), nullable=False),
        sa.Column(
            "expected_records", sa.Integer(), nullable=False, comment="distinct records the source said there are"
        ),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False, comment="S3's time of the plan"),
        sa.Column(
            "completed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the last planned page was in the ledger",
        ),
        sa.Column(
            "distinct_records",
            sa.Integer(),
            nullable=True,
            comment="distinct records in the pages, counted at completion",
        ),
        sa.Column(
            "warnings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="[]",
            nullable=False,
            comment="rules about the whole run that it failed",
        ),
        sa.Column(
            "scheduled_for", sa.DateTime(timezone=True), nullable=True, comment="the time that its schedule meant"
        ),
        sa.Column(
            "rejected_reason",
            sa.Text(),
            nullable=True,
            comment="why nothing was fetched: its slot had a run, or the run before was still going",
        ),
        sa.Column(
            "start",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="the state of its source that it began from, if it did",
        ),
        sa.PrimaryKeyConstraint("run_id"),
        schema="ops",
    )
    op.create_index(
        "run_scheduled_for",
        "run",
        ["dataset", "trigger", "scheduled_for"],
        unique=True,
        schema="ops",
        postgresql_where=sa.text("rejected_reason IS NULL"),
    )
    op.create_table(
        "source_state",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column(
            "params",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="of the runs whose state it is",
        ),
        sa.Column(
            "generation",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="how often an operator has set it",
        ),
        sa.Column(
            "cursor",
            sa.Text(),
            nullable=True,
            comment="the largest cursor of complete runs; null begins with the initial value",
        ),
        sa.Column(
            "run_id", sa.Text(), nullable=True, comment="the run that it is from; null if an operator has set it"
        ),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("dataset", "params"),
        schema="ops",
    )
    op.create_table(
        "schema_drift",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="run id, or the key of an upload"),
        sa.Column("kind", sa.Text(), nullable=False, comment="unknown_field, vanished_field, type_change or new_value"),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "kind", "path", "detail"),
        schema="ops",
    )
    op.create_table(
        "raw",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("natural_key", sa.Text(), nullable=False, comment="its parts separated by tabs"),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("dataset", "natural_key"),
        schema="silver",
    )
    op.execute(USE_LZ4)
