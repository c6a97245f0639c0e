"""Batches of an object, quarantine that closes, drift, replays."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "ops_0002"
down_revision = "ops_0001"
branch_labels = None
depends_on = None

IDENTITY = ("bucket", "key", "version", "transform_version")
MOMENT = sa.DateTime(timezone=True)


def _add(table: str, name: str, kind: sa.types.TypeEngine, **options: object) -> None:
    op.add_column(table, sa.Column(name, kind, **options), schema="ops")


def _identity() -> sa.Column:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True)


def upgrade() -> None:
    _add(
        "run",
        "warnings",
        JSONB(),
        nullable=False,
        server_default="[]",
        comment="rules about the whole run that it failed",
    )
    _extend_object()
    _extend_quarantine()
    op.create_table(
        "field",
        sa.Column("dataset", sa.Text(), primary_key=True),
        sa.Column("path", sa.Text(), primary_key=True),
        sa.Column("type", sa.Text(), primary_key=True, comment="JSON type, or =value of a field with known values"),
        sa.Column("share", sa.Double(), nullable=False, comment="of the records, when last seen"),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=False),
        schema="ops",
    )
    op.create_table(
        "drift",
        _identity(),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="run id, or the key of an upload"),
        sa.Column("kind", sa.Text(), nullable=False, comment="unknown_field, vanished_field, type_change or new_value"),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("seen_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.UniqueConstraint("source", "kind", "path", "detail"),
        schema="ops",
    )
    op.create_table(
        "replay",
        _identity(),
        sa.Column("kind", sa.Text(), nullable=False, comment="dead_letter, quarantine or reprocess"),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("filter", JSONB(), nullable=False),
        sa.Column("started_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), server_default="0", nullable=False),
        sa.Column("outcome", sa.Text(), server_default="under way", nullable=False),
        schema="ops",
    )


def _extend_object() -> None:
    _add("object", "batch", sa.Integer(), nullable=False, server_default="1")
    _add(
        "object",
        "last",
        sa.Boolean(),
        nullable=False,
        server_default=sa.true(),
        comment="whether it is the object's last batch",
    )
    _add(
        "object",
        "part_pages",
        sa.Integer(),
        comment="pages that its part was known to have when this one was fetched",
    )
    _add("object", "shape", JSONB(), comment="{field: {JSON type: records}}, kept until its run is complete")
    _add(
        "object",
        "warnings",
        JSONB(),
        nullable=False,
        server_default="[]",
        comment="rules that it failed and was loaded for all that",
    )
    op.drop_constraint("object_bucket_key_version_transform_version_key", "object", schema="ops")
    op.create_unique_constraint(None, "object", [*IDENTITY, "batch"], schema="ops")


def _extend_quarantine() -> None:
    _add("quarantine", "natural_key", sa.Text(), comment="where the record is whole enough to tell")
    _add("quarantine", "observed_at", MOMENT, nullable=False, server_default=sa.text("now()"))
    op.alter_column("quarantine", "observed_at", server_default=None, schema="ops")
    _add("quarantine", "closed_at", MOMENT, comment="when nobody had to care any more")
    _add("quarantine", "closed_as", sa.Text(), comment="replayed or superseded")
    op.create_index(
        "quarantine_open",
        "quarantine",
        ["dataset", "natural_key"],
        schema="ops",
        postgresql_where=sa.text("closed_at is null"),
    )
