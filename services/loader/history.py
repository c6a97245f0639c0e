"""History tables of datasets with disposition `history`: one row for each version of a record.

A version is valid from its observation until the next one's. Schema `history`, of the USAJOBS gold tables, is another.
"""

from datetime import datetime
from functools import cache

import polars as pl
from sqlalchemy import Connection, Table, TextClause, text

from shared.datasets.silver_tables import DIALECT


def extend(connection: Connection, root: Table, history: Table, keys: pl.DataFrame, observed_at: datetime) -> None:
    """Close the newest version of these records, and append their present rows of the root table.

    A version of the same observation is replaced: a newer transform version gave other values.
    """
    if keys.is_empty():
        return
    values = {name: keys.get_column(name).to_list() for name in keys.columns} | {"observed_at": observed_at}
    for statement in _statements(root, history):
        connection.execute(statement, values)


@cache
def _statements(root: Table, history: Table) -> tuple[TextClause, TextClause]:
    keys = [*root.primary_key.columns]
    arrays = ", ".join(f"cast(:{key.name} as {key.type.compile(DIALECT)}[])" for key in keys)
    names = ", ".join(f'"{key.name}"' for key in keys)
    columns = [f'"{column.name}"' for column in root.columns]
    changed = f"unnest({arrays}) as changed ({names})"
    same_key = " and ".join(f'stored."{key.name}" = changed."{key.name}"' for key in keys)
    replaced = ", ".join(f"{name} = excluded.{name}" for name in columns)
    # The names are of our own tables.
    close_newest = f"""
        update {history.fullname} as stored set valid_to = :observed_at from {changed}
        where {same_key} and valid_to is null and valid_from < :observed_at
    """  # noqa: S608
    add_version = f"""
        insert into {history.fullname} ({", ".join(columns)}, valid_from)
        select {", ".join(f"stored.{name}" for name in columns)}, :observed_at
        from {root.fullname} as stored join {changed} on {same_key}
        on conflict ({names}, valid_from) do update set {replaced}
    """  # noqa: S608
    return text(close_newest), text(add_version)
