"""Upsert of a silver batch: only records that are the newest observation, and only if their content changed."""

from dataclasses import astuple
from enum import Enum
from functools import cache
from typing import Any

import polars as pl
from sqlalchemy import Boolean, Connection, Table, column, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.expression import ColumnClause, TextualSelect

from services.loader import deletion, evolution, history
from services.loader.copy import copy
from services.loader.ledger import LoadCounts
from shared import natural_key, telemetry
from shared.datasets import registry
from shared.datasets.dataset import Tables
from shared.datasets.silver_tables import DIALECT, PROVENANCE, RAW
from shared.failpoint import failpoint
from shared.formats import silver
from shared.formats.observation import Observation
from shared.formats.silver import CONTENT_HASH, HASH_ONLY


class State(Enum):
    """The state in the database of a record that passed the fence."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


WRITTEN = frozenset((State.NEW, State.CHANGED))


class UnknownHashError(Exception):
    """The object has hash-only records whose content is not in the database; it must be transformed in full."""


def upsert(
    connection: Connection, dataset: str, frame: pl.DataFrame, observation: Observation, object_id: int
) -> tuple[LoadCounts, dict[str, bytes]]:
    """Apply the records of one object, all from one observation.

    The fence comes first. It locks rows in key order, so that concurrent loaders neither deadlock nor overwrite newer
    observations. Only records that pass it with changed content are written. Also returns {natural key: content hash}
    of rows now in the database. Raises UnknownHashError or ColumnsNeededError; the transaction must then be rolled
    back.
    """
    tables = registry.dataset(dataset).tables
    if registry.dataset(dataset).evolves:
        tables, frame = evolution.expand(connection, dataset, frame)
    keys = key_names(tables)
    newest = frame.unique(keys, keep="last").sort(keys)
    with telemetry.span("loader.fence", records=len(newest)):
        passed = _pass_fence(connection, tables, newest, observation, object_id)
    failpoint("loader.fenced")
    states = [passed.get(key) for key in newest.select(keys).iter_rows()]
    full = [not hash_only for hash_only in newest.get_column(HASH_ONLY)]
    stopped = [state is None and not in_full for state, in_full in zip(states, full, strict=True)]
    _check_hash_only(connection, tables, _rows(newest, stopped), observation)
    updated = _rows(newest, [state is State.CHANGED for state in states])
    written = _rows(newest, [state in WRITTEN for state in states])
    deletion.delete(connection, tables, updated.select(keys))
    _insert(connection, tables, written, object_id)
    if tables.history is not None:
        history.extend(connection, tables.root, tables.history, written.select(keys), observation.observed_at)
    _keep_raw(connection, dataset, tables, written, object_id)
    counts = LoadCounts(
        inserted=len(written) - len(updated),
        updated=len(updated),
        unchanged=len(passed) - len(written),
        stale=len(frame) - len(passed),
    )
    full_rows = _rows(newest, [state is not None and in_full for state, in_full in zip(states, full, strict=True)])
    return counts, dict(zip(key_texts(full_rows, tables), full_rows.get_column(CONTENT_HASH), strict=True))


def _rows(frame: pl.DataFrame, wanted: list[bool]) -> pl.DataFrame:
    """The selected rows. A mask is much faster than a join for few rows."""
    return frame if all(wanted) else frame.filter(pl.Series(wanted, dtype=pl.Boolean))


def key_texts(frame: pl.DataFrame, tables: Tables) -> list[str]:
    """The natural keys of the rows, as text."""
    return natural_key.texts(frame.select(key_names(tables)).iter_rows(), [*tables.root.primary_key.columns])


def key_names(tables: Tables) -> list[str]:
    """The columns of the natural key."""
    return [column.name for column in tables.root.primary_key.columns]


def _pass_fence(
    connection: Connection, tables: Tables, newest: pl.DataFrame, observation: Observation, object_id: int
) -> dict[tuple[Any, ...], State]:
    """{key: state} of the records of which this is the newest observation; the others are stale."""
    keys = key_names(tables)
    columns = {name: newest.get_column(name).to_list() for name in [*keys, CONTENT_HASH, HASH_ONLY]}
    observed_at, source_key_hash, sequencer, transform_version = astuple(observation)
    values: dict[str, Any] = {
        **columns,
        "observed_at": observed_at,
        "source_key_hash": source_key_hash,
        "sequencer": sequencer,
        "transform_version": transform_version,
        PROVENANCE: object_id,
    }
    passed = connection.execute(_fence(tables.last_seen), values)
    return {tuple(key): _state(is_new=is_new, is_changed=is_changed) for *key, is_new, is_changed in passed}


def _state(*, is_new: bool, is_changed: bool) -> State:
    if is_new:
        return State.NEW
    return State.CHANGED if is_changed else State.UNCHANGED


@cache
def _fence(table: Table) -> TextualSelect:
    """The statement that compares observations and updates them. `old` is PostgreSQL 18's row before the update.

    A hash-only record (its `first_seen_at` is -infinity) never inserts a row, and passes only if its hash is the stored
    one.
    """
    keys = [f'"{key.name}"' for key in table.primary_key.columns]
    typed = [*((key.name, key.type.compile(DIALECT)) for key in table.primary_key.columns)]
    typed += [(CONTENT_HASH, "bytea"), (HASH_ONLY, "boolean")]
    arrays = ", ".join(f"cast(:{name} as {kind}[])" for name, kind in typed)
    key_list, new_keys = ", ".join(keys), ", ".join(f"new.{key}" for key in keys)
    same_key = " and ".join(f"existing.{key} = record.{key}" for key in keys)
    return text(f"""
        insert into {table.schema}.{table.name} as stored
            ({key_list}, content_hash, observed_at, source_key_hash, sequencer, transform_version, object_id,
             first_seen_at)
        select {key_list}, content_hash, :observed_at, :source_key_hash, :sequencer, :transform_version, :object_id,
               case when hash_only then timestamptz '-infinity' else :observed_at end
        from unnest({arrays}) as record ({key_list}, content_hash, hash_only)
        where not hash_only or exists (select from {table.schema}.{table.name} as existing where {same_key})
        order by {key_list}
        on conflict ({key_list}) do update
            set content_hash = excluded.content_hash, observed_at = excluded.observed_at,
                source_key_hash = excluded.source_key_hash, sequencer = excluded.sequencer,
                transform_version = excluded.transform_version, object_id = excluded.object_id, inactive_since = null
            where (excluded.observed_at, excluded.source_key_hash, excluded.sequencer, excluded.transform_version)
               >= (stored.observed_at, stored.source_key_hash, stored.sequencer, stored.transform_version)
              and (excluded.first_seen_at > '-infinity' or stored.content_hash = excluded.content_hash)
        returning {new_keys}, old.content_hash is null, old.content_hash is distinct from new.content_hash
    """).columns(*_returned(table))  # noqa: S608 - names of our own tables only


def _returned(table: Table) -> list[ColumnClause[Any]]:
    """The columns that the fence returns; bytes and UUIDs need explicit types."""
    flags = [column(name, Boolean()) for name in ("is_new", "is_changed")]
    return [*(column(key.name, key.type) for key in table.primary_key.columns), *flags]


def _check_hash_only(connection: Connection, tables: Tables, stopped: pl.DataFrame, observation: Observation) -> None:
    """Raise UnknownHashError unless each of these hash-only records has a newer observation in the database."""
    if stopped.is_empty():
        return
    last_seen = tables.last_seen
    order = tuple_(
        *(last_seen.c[name] for name in ("observed_at", "source_key_hash", "sequencer", "transform_version"))
    )
    same_keys = tuple_(*last_seen.primary_key.columns).in_(stopped.select(key_names(tables)).rows())
    newer = connection.scalar(
        select(func.count()).select_from(last_seen).where(same_keys, order > tuple_(*astuple(observation)))
    )
    if newer != len(stopped):
        raise UnknownHashError


def _insert(connection: Connection, tables: Tables, frame: pl.DataFrame, object_id: int) -> None:
    if frame.is_empty():
        return
    rows, keys = frame.lazy(), key_names(tables)
    children = {child: silver.child_rows(rows, child.name, keys) for child in tables.children}
    copy(connection, {tables.root: rows.with_columns(pl.lit(object_id).alias(PROVENANCE)), **children})


def _keep_raw(connection: Connection, dataset: str, tables: Tables, frame: pl.DataFrame, object_id: int) -> None:
    """Store the raw JSON of the written records, if the batch has it."""
    with_raw = frame.filter(pl.col(silver.RAW).is_not_null())
    pairs = zip(key_texts(with_raw, tables), with_raw.get_column(silver.RAW), strict=True)
    rows = [{"dataset": dataset, "natural_key": key, "raw": raw, PROVENANCE: object_id} for key, raw in pairs]
    if rows:
        statement = insert(RAW).values(rows)
        newer = {name: statement.excluded[name] for name in ("raw", PROVENANCE)}
        connection.execute(statement.on_conflict_do_update(index_elements=["dataset", "natural_key"], set_=newer))
