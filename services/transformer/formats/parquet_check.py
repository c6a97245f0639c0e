"""Reads all of a Parquet file's columns of these names, in a process of its own: what is damaged can end the process.

Says on standard output what is wrong with it. Imports nothing of the project, so that it starts quickly.
"""

import sys
from collections.abc import Sequence

import polars as pl

SLICE = 5_000  # rows; with row groups larger than that a group is held in memory as a whole
DAMAGE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


def problem(path: str, names: Sequence[str]) -> str:
    """What is wrong, and where; nothing if all can be read."""
    try:
        schema = pl.scan_parquet(path).collect_schema()
        rows = pl.scan_parquet(path).select(pl.len()).collect().item()
    except DAMAGE as error:
        return f"its footer, at the end: {error}"
    columns = [name for name in names if name in schema]
    for start in range(0, rows, SLICE) if columns else ():
        try:
            pl.scan_parquet(path).select(columns).slice(start, SLICE).collect()
        except DAMAGE as error:
            return f"rows {start + 1} to {min(start + SLICE, rows)}{_column(path, columns, start)}: {error}"
    return ""


def _column(path: str, columns: Sequence[str], start: int) -> str:
    for name in columns:
        try:
            pl.scan_parquet(path).select(name).slice(start, SLICE).collect()
        except DAMAGE:
            return f" of column {name}"
    return ""


if __name__ == "__main__":
    print(problem(sys.argv[1], sys.argv[2:]))  # noqa: T201 - its reader is waiting for it
