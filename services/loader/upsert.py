"""Rows of a silver batch into their tables: only what is the newest observation, and only what has changed."""

from dataclasses import astuple
from functools import cache
from typing import Any

import polars as pl
from sqlalchemy import Boolean, Connection, Table, column, delete, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.sql.expression import ColumnClause, TextualSelect

from services.loader.copy import copy
from services.loader.ledger import LoadCounts
from shared import natural_key, telemetry
from shared.datasets import contract
from shared.datasets.contract import Tables
from shared.datasets.silver_tables import PROVENANCE, RAW
from shared.failpoint import failpoint
from shared.formats import silver
from shared.formats.observation import Observation
from shared.formats.silver import CONTENT_HASH, HASH_ONLY, RECORD_INDEX

DIALECT = PGDialect()  # type: ignore[no-untyped-call]


class UnknownSightingError(Exception):
    """The object has bare sightings of content that the database does not hold: it is needed in full."""


def upsert(
    connection: Connection, dataset: str, frame: pl.DataFrame, seen: Observation, object_id: int
) -> tuple[LoadCounts, dict[str, bytes]]:
    """Apply one object's records, all seen in the one observation.

    The fence comes first and locks, in key order, so that concurrent loaders neither deadlock nor overtake one another;
    only records that pass it with new content are written. Also returns {natural key: content hash} of what the
    database is known to hold now. Raises UnknownSightingError; then nothing may be committed.
    """
    tables = contract.tables(dataset)
    keys = key_names(tables)
    newest = frame.unique(keys, keep="last").sort(keys)
    with telemetry.span("loader.fence", records=len(newest)):
        passed = _pass_fence(connection, tables, newest, seen, object_id)
    failpoint("loader.fenced")
    _check_sightings(connection, tables, newest.join(passed, on=keys, how="anti").filter(HASH_ONLY), seen)
    inserted, updated = passed.filter("is_new"), passed.filter(~pl.col("is_new") & pl.col("is_changed"))
    _delete(connection, tables, updated.select(keys))
    written = newest.join(pl.concat([inserted, updated]), on=keys, how="semi")
    _insert(connection, tables, written, object_id)
    _keep_raw(connection, dataset, tables, written, object_id)
    effect = LoadCounts(
        inserted=len(inserted),
        updated=len(updated),
        unchanged=len(passed) - len(inserted) - len(updated),
        stale=len(frame) - len(passed),
    )
    held = newest.filter(~pl.col(HASH_ONLY)).join(passed, on=keys, how="semi")
    return effect, dict(zip(key_texts(held, tables), held.get_column(CONTENT_HASH), strict=True))


def key_texts(frame: pl.DataFrame, tables: Tables) -> list[str]:
    """The natural keys as text."""
    return natural_key.texts(frame.select(key_names(tables)).iter_rows(), [*tables.ROOT.primary_key.columns])


def key_names(tables: Tables) -> list[str]:
    """The columns of the natural key."""
    return [column.name for column in tables.ROOT.primary_key.columns]


def _pass_fence(
    connection: Connection, tables: Tables, newest: pl.DataFrame, seen: Observation, object_id: int
) -> pl.DataFrame:
    """The keys that this observation is the newest of, with `is_new` and `is_changed`; the others are stale."""
    keys = key_names(tables)
    columns = {name: newest.get_column(name).to_list() for name in [*keys, CONTENT_HASH, HASH_ONLY]}
    observed_at, source_key_hash, sequencer, transform_version = astuple(seen)
    values: dict[str, Any] = {
        **columns,
        "observed_at": observed_at,
        "source_key_hash": source_key_hash,
        "sequencer": sequencer,
        "transform_version": transform_version,
        PROVENANCE: object_id,
    }
    passed = connection.execute(_fence(tables.LAST_SEEN), values).all()
    key_schema = {name: newest.schema[name] for name in keys}
    return pl.DataFrame(passed, schema={**key_schema, "is_new": pl.Boolean(), "is_changed": pl.Boolean()}, orient="row")


@cache
def _fence(table: Table) -> TextualSelect:
    """One statement that claims and compares at once. `old` is PostgreSQL 18's view of the row before the update.

    A bare sighting (marked by a first sight before all time) never makes a row, and passes only with the content held.
    """
    keys = [f'"{key.name}"' for key in table.primary_key.columns]
    typed = [*((key.name, key.type.compile(DIALECT)) for key in table.primary_key.columns)]
    typed += [(CONTENT_HASH, "bytea"), (HASH_ONLY, "boolean")]
    arrays = ", ".join(f"cast(:{name} as {kind}[])" for name, kind in typed)
    key_list, new_keys = ", ".join(keys), ", ".join(f"new.{key}" for key in keys)
    same_key = " and ".join(f"known.{key} = seen.{key}" for key in keys)
    return text(f"""
        insert into {table.schema}.{table.name} as held
            ({key_list}, content_hash, observed_at, source_key_hash, sequencer, transform_version, object_id,
             first_seen_at)
        select {key_list}, content_hash, :observed_at, :source_key_hash, :sequencer, :transform_version, :object_id,
               case when hash_only then timestamptz '-infinity' else :observed_at end
        from unnest({arrays}) as seen ({key_list}, content_hash, hash_only)
        where not hash_only or exists (select from {table.schema}.{table.name} as known where {same_key})
        order by {key_list}
        on conflict ({key_list}) do update
            set content_hash = excluded.content_hash, observed_at = excluded.observed_at,
                source_key_hash = excluded.source_key_hash, sequencer = excluded.sequencer,
                transform_version = excluded.transform_version, object_id = excluded.object_id, inactive_since = null
            where (excluded.observed_at, excluded.source_key_hash, excluded.sequencer, excluded.transform_version)
               >= (held.observed_at, held.source_key_hash, held.sequencer, held.transform_version)
              and (excluded.first_seen_at > '-infinity' or held.content_hash = excluded.content_hash)
        returning {new_keys}, old.content_hash is null, old.content_hash is distinct from new.content_hash
    """).columns(*_returned(table))  # noqa: S608 - names of our own tables only


def _returned(table: Table) -> list[ColumnClause[Any]]:
    """What the fence returns, with types: the driver has types of its own for bytes and UUIDs."""
    flags = [column(name, Boolean()) for name in ("is_new", "is_changed")]
    return [*(column(key.name, key.type) for key in table.primary_key.columns), *flags]


def _check_sightings(connection: Connection, tables: Tables, stopped: pl.DataFrame, seen: Observation) -> None:
    """Sightings that did not pass must be older than what is held; of others the content is missing here."""
    if stopped.is_empty():
        return
    held = tables.LAST_SEEN
    order = tuple_(*(held.c[name] for name in ("observed_at", "source_key_hash", "sequencer", "transform_version")))
    mine = tuple_(*held.primary_key.columns).in_(stopped.select(key_names(tables)).rows())
    newer = connection.scalar(select(func.count()).select_from(held).where(mine, order > tuple_(*astuple(seen))))
    if newer != len(stopped):
        raise UnknownSightingError


def _delete(connection: Connection, tables: Tables, keys: pl.DataFrame) -> None:
    """Changed records are replaced whole; their children go with them (`on delete cascade`)."""
    if not keys.is_empty():
        key_columns = tuple_(*tables.ROOT.primary_key.columns)
        connection.execute(delete(tables.ROOT).where(key_columns.in_(keys.rows())))


def _insert(connection: Connection, tables: Tables, frame: pl.DataFrame, object_id: int) -> None:
    if frame.is_empty():
        return
    children = [child.name for child in tables.CHILDREN]
    root = frame.drop(RECORD_INDEX, CONTENT_HASH, HASH_ONLY, silver.RAW, *children).with_columns(
        pl.lit(object_id).alias(PROVENANCE)
    )
    copy(connection, root, tables.ROOT)
    for child in tables.CHILDREN:
        copy(connection, silver.child_rows(frame, child.name, key_names(tables)), child)


def _keep_raw(connection: Connection, dataset: str, tables: Tables, frame: pl.DataFrame, object_id: int) -> None:
    """The JSON of what was written, where the transformer sent it along."""
    kept = frame.filter(pl.col(silver.RAW).is_not_null())
    pairs = zip(key_texts(kept, tables), kept.get_column(silver.RAW), strict=True)
    rows = [{"dataset": dataset, "natural_key": key, "raw": raw, PROVENANCE: object_id} for key, raw in pairs]
    if rows:
        statement = insert(RAW).values(rows)
        newer = {name: statement.excluded[name] for name in ("raw", PROVENANCE)}
        connection.execute(statement.on_conflict_do_update(index_elements=["dataset", "natural_key"], set_=newer))
