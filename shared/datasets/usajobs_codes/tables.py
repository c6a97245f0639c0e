"""Schema `silver`: `code_list`, keyed by its name in small letters, and its codes in `code`."""

from sqlalchemy import Boolean, Column, DateTime, ForeignKey, Integer, Table, Text

from shared.datasets.silver_tables import METADATA, last_seen, provenance

ROOT = Table("code_list", METADATA, Column("list_name", Text, primary_key=True), provenance())
CODE = Table(
    "code",
    METADATA,
    Column("list_name", ForeignKey(ROOT.c.list_name, ondelete="CASCADE"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("code", Text, nullable=False, index=True),
    Column("value", Text),
    Column("parent_code", Text),
    Column("job_family", Text),
    Column("last_modified", DateTime),
    Column("is_disabled", Boolean),
)
CHILDREN = (CODE,)
LAST_SEEN = last_seen(ROOT)
