"""How data differs from what was declared and from what came before, as the loader noted it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select

from shared.database.ops_tables import SCHEMA_DRIFT

KINDS = ("unknown_field", "vanished_field", "type_change", "new_value")


def find_drift(
    connection: Connection, since: timedelta, dataset: str | None, kind: str | None, most: int | None = None
) -> Sequence[Row[Any]]:
    """Whole rows of `ops.schema_drift` of the time since, the newest first."""
    wanted = select(SCHEMA_DRIFT).where(SCHEMA_DRIFT.c.seen_at > func.now() - since)
    if dataset:
        wanted = wanted.where(SCHEMA_DRIFT.c.dataset == dataset)
    if kind:
        wanted = wanted.where(SCHEMA_DRIFT.c.kind == kind)
    return connection.execute(wanted.order_by(SCHEMA_DRIFT.c.seen_at.desc(), SCHEMA_DRIFT.c.path).limit(most)).all()
