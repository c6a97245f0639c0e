"""Schema `silver`: `reference_table`, keyed by list and code."""

from sqlalchemy import Column, Date, Table, Text

from shared.datasets.silver_tables import METADATA, last_seen, provenance

ROOT = Table(
    "reference_table",
    METADATA,
    Column("list", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("label", Text),
    Column("valid_from", Date),
    Column("valid_to", Date),
    provenance(),
)
CHILDREN: tuple[Table, ...] = ()
LAST_SEEN = last_seen(ROOT)
