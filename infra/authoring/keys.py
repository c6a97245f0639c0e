"""Proposes a natural key from a sample."""

import json
import re
from collections.abc import Sequence
from itertools import combinations

from infra.authoring.structure import Column, Table
from shared.errors import PermanentError

KEY_TYPES = frozenset(("string", "date", "timestamp"))  # numbers differ by chance, unless their name is that of a key
NAMES_OF_KEYS = re.compile(r"(^|_)(id|key|code|uuid|guid|number|no|iata|icao|isbn|sku)$")
NAMES_OF_NUMBERS = re.compile(r"(^|_)(year|month|week|day|position|index)$")  # ... or of a part of one
MAX_COLUMNS = 3  # of a proposed key
MAX_CANDIDATES = 10  # columns that are tried together
MAX_KEY_CHARACTERS = 200  # of a value: longer texts are prose


def propose(table: Table) -> list[Column]:
    """The smallest set of columns whose values are unique in the sample. Raises PermanentError if there is none."""
    candidates = sorted(filter(_may_be_key, table.columns), key=lambda column: not NAMES_OF_KEYS.search(column.name))
    for size in range(1, MAX_COLUMNS + 1):
        for columns in combinations(candidates if size == 1 else candidates[:MAX_CANDIDATES], size):
            if repeated(columns) == 0 and (table.rows > 1 or NAMES_OF_KEYS.search(columns[0].name)):
                return list(columns)
    message = (
        f"no {MAX_COLUMNS} columns, or fewer, are unique in {table.rows:,} records and never blank, so no key can"
        f" be proposed: choose it with --key a,b out of {', '.join(column.name for column in table.columns)};"
        " or keep every record, --append"
    )
    raise PermanentError(message)


def chosen(table: Table, names: Sequence[str]) -> list[Column]:
    """The columns of these names, or of fields of these names. Raises PermanentError for others."""
    by_name = {column.path[-1]: column for column in table.columns if len(column.path) == 1}
    by_name |= {column.name: column for column in table.columns if len(column.path) == 1}
    if unknown := [name for name in names if name not in by_name]:
        message = f"no column {', '.join(unknown)} at the top of a record; there are {', '.join(by_name)}"
        raise PermanentError(message)
    return [by_name[name] for name in names]


def repeated(columns: Sequence[Column]) -> int:
    """The number of records that share their values in these columns with another record."""
    rows = zip(*(column.values for column in columns), strict=True)
    texts = [json.dumps(row, default=str) for row in rows]
    return len(texts) - len(set(texts))


def _may_be_key(column: Column) -> bool:
    """Values at the top of a record, in every record, of a type that compares exactly."""
    return (
        len(column.path) == 1
        and (column.type.logical in KEY_TYPES or _is_numbering(column))
        and not column.nulls
        and all(len(value) <= MAX_KEY_CHARACTERS for value in column.values if isinstance(value, str))
    )


def _is_numbering(column: Column) -> bool:
    named = NAMES_OF_KEYS.search(column.name) or NAMES_OF_NUMBERS.search(column.name)
    return column.type.logical == "integer" and named is not None
