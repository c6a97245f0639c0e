"""Rows of a silver batch into their tables: only what is the newest observation, and only what has changed."""

from dataclasses import astuple
from typing import Any

import polars as pl
from sqlalchemy import Connection, Table, TextClause, delete, text, tuple_
from sqlalchemy.dialects.postgresql.base import PGDialect

from services.loader.copy import copy
from services.loader.ledger import Effect
from shared import silver
from shared.database.silver_tables import PROVENANCE
from shared.datasets import contract
from shared.datasets.contract import Tables
from shared.failpoint import failpoint
from shared.observation import Observation
from shared.silver import CONTENT_HASH, RECORD_INDEX

DIALECT = PGDialect()  # type: ignore[no-untyped-call]


def upsert(connection: Connection, dataset: str, frame: pl.DataFrame, seen: Observation, object_id: int) -> Effect:
    """Apply one object's records, all seen in the one observation.

    The fence comes first and locks, in key order, so that concurrent loaders neither deadlock nor overtake one another;
    only records that pass it with new content are written.
    """
    tables = contract.tables(dataset)
    keys = key_names(tables)
    newest = frame.unique(keys, keep="last").sort(keys)
    passed = _pass_fence(connection, tables, newest, seen, object_id)
    failpoint("loader.fenced")
    inserted, updated = passed.filter("is_new"), passed.filter(~pl.col("is_new") & pl.col("is_changed"))
    _delete(connection, tables, updated.select(keys))
    _insert(connection, tables, newest.join(pl.concat([inserted, updated]), on=keys, how="semi"), object_id)
    return Effect(
        inserted=len(inserted),
        updated=len(updated),
        unchanged=len(passed) - len(inserted) - len(updated),
        stale=len(frame) - len(passed),
    )


def key_names(tables: Tables) -> list[str]:
    """The columns of the natural key."""
    return [column.name for column in tables.ROOT.primary_key.columns]


def _pass_fence(
    connection: Connection, tables: Tables, newest: pl.DataFrame, seen: Observation, object_id: int
) -> pl.DataFrame:
    """The keys that this observation is the newest of, with `is_new` and `is_changed`; the others are stale."""
    keys = key_names(tables)
    columns = {name: newest.get_column(name).to_list() for name in [*keys, CONTENT_HASH]}
    observed_at, source, sequencer, transform_version = astuple(seen)
    values: dict[str, Any] = {
        **columns,
        "observed_at": observed_at,
        "source": source,
        "sequencer": sequencer,
        "transform_version": transform_version,
        PROVENANCE: object_id,
    }
    passed = connection.execute(_fence(tables.LAST_SEEN), values).all()
    key_schema = {name: newest.schema[name] for name in keys}
    return pl.DataFrame(passed, schema={**key_schema, "is_new": pl.Boolean(), "is_changed": pl.Boolean()}, orient="row")


def _fence(table: Table) -> TextClause:
    """One statement that claims and compares at once. `old` is PostgreSQL 18's view of the row before the update."""
    keys = [f'"{column.name}"' for column in table.primary_key.columns]
    arrays = ", ".join(
        f"cast(:{column.name} as {column.type.compile(DIALECT)}[])"
        for column in [*table.primary_key.columns, table.c.content_hash]
    )
    key_list, new_keys = ", ".join(keys), ", ".join(f"new.{key}" for key in keys)
    return text(f"""
        insert into {table.schema}.{table.name} as held
            ({key_list}, content_hash, observed_at, source, sequencer, transform_version, object_id, first_seen_at)
        select {key_list}, content_hash, :observed_at, :source, :sequencer, :transform_version, :object_id, :observed_at
        from unnest({arrays}) as seen ({key_list}, content_hash)
        order by {key_list}
        on conflict ({key_list}) do update
            set content_hash = excluded.content_hash, observed_at = excluded.observed_at, source = excluded.source,
                sequencer = excluded.sequencer, transform_version = excluded.transform_version,
                object_id = excluded.object_id
            where (excluded.observed_at, excluded.source, excluded.sequencer, excluded.transform_version)
               >= (held.observed_at, held.source, held.sequencer, held.transform_version)
        returning {new_keys}, old.content_hash is null, old.content_hash is distinct from new.content_hash
    """)  # noqa: S608 - names of our own tables only


def _delete(connection: Connection, tables: Tables, keys: pl.DataFrame) -> None:
    """Changed records are replaced whole; their children go with them (`on delete cascade`)."""
    if not keys.is_empty():
        key_columns = tuple_(*tables.ROOT.primary_key.columns)
        connection.execute(delete(tables.ROOT).where(key_columns.in_(keys.rows())))


def _insert(connection: Connection, tables: Tables, frame: pl.DataFrame, object_id: int) -> None:
    children = [child.name for child in tables.CHILDREN]
    root = frame.drop(RECORD_INDEX, CONTENT_HASH, *children).with_columns(pl.lit(object_id).alias(PROVENANCE))
    copy(connection, root, tables.ROOT)
    for child in tables.CHILDREN:
        copy(connection, silver.child_rows(frame, child.name, key_names(tables)), child)
