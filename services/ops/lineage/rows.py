"""The lineage of a row: silver object, bronze object, request and response."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, inspect, select

from services.ops.connections import Connections
from services.ops.lineage.source_object import ObjectHead, SourceObject, inspect_source, object_head, release
from shared import natural_key
from shared.database.ops_tables import LOADED_OBJECT, QUARANTINE
from shared.datasets import registry
from shared.datasets.silver_tables import METADATA, PROVENANCE
from shared.storage.object_id import ObjectId

LEDGER = [column for column in LOADED_OBJECT.columns if column.name not in {"natural_keys", "field_profile"}]

Entry = Mapping[str, Any]  # a row of a smelt table


@dataclass(frozen=True)
class RowLineage:
    """The lineage of a natural key in one dataset.

    `entry` is the ledger row of the object with the current content, `last_seen` the row in the last-seen table, and
    `last_seen_entry` the ledger row of the object with the newest observation. `made_by` is the smelt release that
    wrote the silver object, if recorded. All are None if the record was only rejected.
    """

    dataset: str
    natural_key: str
    table: str
    entry: Entry | None
    silver: ObjectHead | None
    made_by: str | None
    bronze: SourceObject | None
    last_seen: Entry | None
    last_seen_entry: Entry | None
    quarantine: tuple[Entry, ...]


def row_lineage(connections: Connections, key: str, datasets: Sequence[str]) -> list[RowLineage]:
    """The lineage of the key in each dataset that has it.

    The parts of a composite key are separated by commas or tabs.
    """
    with connections.database.connect() as connection:
        existing = set(inspect(connection).get_table_names(METADATA.schema))
        lineages = (
            _lineage_in(connections, connection, dataset, key)
            for dataset in datasets
            if registry.dataset(dataset).tables.root.name in existing
        )
        return [row for row in lineages if row]


def typed(key: str, columns: Sequence[Column[Any]]) -> tuple[Any, ...] | None:
    """The values of a natural key; None if the columns cannot hold it."""
    parts = [key] if len(columns) == 1 else key.split("\t" if "\t" in key else ",")
    return natural_key.parse([part.strip() for part in parts], columns)


def _lineage_in(connections: Connections, connection: Connection, dataset: str, key: str) -> RowLineage | None:
    tables = registry.dataset(dataset).tables
    columns = [*tables.root.primary_key.columns]
    values = typed(key, columns)
    if values is None:
        return None
    name = natural_key.text(values, columns)
    row, last_seen = (_row(connection, table, values) for table in (tables.root, tables.last_seen))
    rejected = _rejected(connection, dataset, {name, key})
    if not (row or last_seen or rejected):
        return None
    entry = _entry(connection, row)
    s3 = connections.s3
    silver = ObjectId(connections.settings.bucket, entry["silver_key"]) if entry else None
    return RowLineage(
        dataset=dataset,
        natural_key=name,
        table=tables.root.fullname,
        entry=entry,
        silver=object_head(s3, silver) if silver else None,
        made_by=release(s3, silver) if silver else None,
        bronze=inspect_source(s3, ObjectId(entry["bucket"], entry["key"], entry["version"])) if entry else None,
        last_seen={name: value for name, value in last_seen.items() if name != "content_hash"} if last_seen else None,
        last_seen_entry=_entry(connection, last_seen),
        quarantine=rejected,
    )


def _row(connection: Connection, table: Any, values: tuple[Any, ...]) -> Entry | None:
    same_key = (column == value for column, value in zip(table.primary_key.columns, values, strict=True))
    row = connection.execute(select(table).where(*same_key)).one_or_none()
    return row._asdict() if row else None


def _entry(connection: Connection, row: Entry | None) -> Entry | None:
    if row is None:
        return None
    entry = connection.execute(select(*LEDGER).where(LOADED_OBJECT.c.id == row[PROVENANCE])).one_or_none()
    return entry._asdict() if entry else None


def _rejected(connection: Connection, dataset: str, names: set[str]) -> tuple[Entry, ...]:
    columns = [column for column in QUARANTINE.columns if column.name != "raw"]
    query = select(*columns).where(QUARANTINE.c.dataset == dataset, QUARANTINE.c.natural_key.in_(names))
    return tuple(row._asdict() for row in connection.execute(query.order_by(QUARANTINE.c.id)))
