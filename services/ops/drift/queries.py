"""Queries of schema drift recorded by the loader."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select

from shared.database.ops_tables import SCHEMA_DRIFT

KINDS = ("unknown_field", "vanished_field", "type_change", "new_value")


def find_drift(
    connection: Connection, since: timedelta, dataset: str | None, kind: str | None, most: int | None = None
) -> Sequence[Row[Any]]:
    """Rows of `ops.schema_drift` within `since`, newest first."""
    query = select(SCHEMA_DRIFT).where(SCHEMA_DRIFT.c.seen_at > func.now() - since)
    if dataset:
        query = query.where(SCHEMA_DRIFT.c.dataset == dataset)
    if kind:
        query = query.where(SCHEMA_DRIFT.c.kind == kind)
    return connection.execute(query.order_by(SCHEMA_DRIFT.c.seen_at.desc(), SCHEMA_DRIFT.c.path).limit(most)).all()
