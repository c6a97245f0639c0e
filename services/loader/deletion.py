"""Deletes the present rows of changed records before their new rows are inserted. Foreign keys do not cascade (ADR 36).

Records that a source no longer has are not deleted: see `deactivation` and `snapshot`.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import polars as pl
from sqlalchemy import Column, Connection, Table, TextClause, text

from shared.datasets.dataset import Tables
from shared.datasets.silver_tables import DIALECT


def delete(connection: Connection, tables: Tables, keys: pl.DataFrame) -> None:
    """Delete the records with these natural keys, and their child rows."""
    if not keys.is_empty():
        statement = _statement(tables.root, tables.children)
        connection.execute(statement, {name: keys.get_column(name).to_list() for name in keys.columns})


@cache
def _statement(root: Table, children: tuple[Table, ...]) -> TextClause:
    """One statement that deletes from all tables.

    Child rows are matched with the keys returned by the deletion of root rows, so they are deleted after them. The
    trigger of schema `history`, on `silver.job`, can then still read the child rows and copies them.
    """
    keys = [*root.primary_key.columns]
    arrays = ", ".join(f"cast(:{key.name} as {key.type.compile(DIALECT)}[])" for key in keys)
    names = ", ".join(f'"{key.name}"' for key in keys)
    returned = ", ".join(f'stored."{key.name}"' for key in keys)
    parts = [
        f"changed as materialized (select * from unnest({arrays}) as key ({names}))",  # noqa: S608 - names of our own
        f"deleted as ({_from(root, keys, 'changed')} returning {returned})",
        *(f"deleted_{number} as ({_from(child, keys, 'deleted')})" for number, child in enumerate(children)),
    ]
    return text(f"with {', '.join(parts)} select count(*) from deleted")  # noqa: S608 - names of our own


def _from(table: Table, keys: Sequence[Column[Any]], source: str) -> str:
    same_key = " and ".join(f'stored."{key.name}" = {source}."{key.name}"' for key in keys)
    return f"delete from {table.fullname} as stored using {source} where {same_key}"  # noqa: S608 - names of our own
