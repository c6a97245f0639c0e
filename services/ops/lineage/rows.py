"""From a row back to the request that brought it: row, silver object, bronze object, answer of the source."""

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

Entry = Mapping[str, Any]  # a row of one of our tables


@dataclass(frozen=True)
class RowLineage:
    """What is known of one natural key in one dataset.

    `entry` is the ledger's of the object that the row's content came from, `seen` what the narrow table has of the key,
    `seen_entry` the ledger's of the object that brought its newest observation. `made_by` is the release of smelt that
    wrote the silver object, where it says so. All None where it was only rejected.
    """

    dataset: str
    natural_key: str
    table: str
    entry: Entry | None
    silver: ObjectHead | None
    made_by: str | None
    bronze: SourceObject | None
    seen: Entry | None
    seen_entry: Entry | None
    quarantine: tuple[Entry, ...]


def row_lineage(connections: Connections, key: str, datasets: Sequence[str]) -> list[RowLineage]:
    """What each of the datasets knows of the key; those that know nothing are left out.

    The parts of a key of several columns are separated by a comma or a tab.
    """
    with connections.database.connect() as connection:
        known = set(inspect(connection).get_table_names(METADATA.schema))
        found = (
            _traced(connections, connection, dataset, key)
            for dataset in datasets
            if registry.dataset(dataset).tables.root.name in known
        )
        return [one for one in found if one]


def typed(key: str, columns: Sequence[Column[Any]]) -> tuple[Any, ...] | None:
    """A natural key as its columns have it; None for one that they cannot hold."""
    parts = [key] if len(columns) == 1 else key.split("\t" if "\t" in key else ",")
    return natural_key.parse([part.strip() for part in parts], columns)


def _traced(connections: Connections, connection: Connection, dataset: str, key: str) -> RowLineage | None:
    tables = registry.dataset(dataset).tables
    columns = [*tables.root.primary_key.columns]
    values = typed(key, columns)
    if values is None:
        return None
    name = natural_key.text(values, columns)
    row, seen = (_row(connection, table, values) for table in (tables.root, tables.last_seen))
    rejected = _rejected(connection, dataset, {name, key})
    if not (row or seen or rejected):
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
        seen={name: value for name, value in seen.items() if name != "content_hash"} if seen else None,
        seen_entry=_entry(connection, seen),
        quarantine=rejected,
    )


def _row(connection: Connection, table: Any, values: tuple[Any, ...]) -> Entry | None:
    mine = (column == value for column, value in zip(table.primary_key.columns, values, strict=True))
    found = connection.execute(select(table).where(*mine)).one_or_none()
    return found._asdict() if found else None


def _entry(connection: Connection, row: Entry | None) -> Entry | None:
    if row is None:
        return None
    found = connection.execute(select(*LEDGER).where(LOADED_OBJECT.c.id == row[PROVENANCE])).one_or_none()
    return found._asdict() if found else None


def _rejected(connection: Connection, dataset: str, names: set[str]) -> tuple[Entry, ...]:
    columns = [column for column in QUARANTINE.columns if column.name != "raw"]
    mine = select(*columns).where(QUARANTINE.c.dataset == dataset, QUARANTINE.c.natural_key.in_(names))
    return tuple(row._asdict() for row in connection.execute(mine.order_by(QUARANTINE.c.id)))
