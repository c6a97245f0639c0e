"""The quality gate: pandera's checks, each giving a mask of rows, so that no rule can drop or miss any."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pandera.polars as pa
import polars as pl

from shared import silver
from shared.datasets.contract import Tables
from shared.quarantine import Problem


def failures(
    frame: pl.DataFrame, rules: Mapping[str, pa.DataFrameSchema], tables: Tables
) -> dict[int, tuple[Problem, ...]]:
    """{record index: problems} of the records with a row, in any table, that fails a rule."""
    found: dict[int, list[Problem]] = defaultdict(list)
    for table, schema in rules.items():
        rows = frame if table == tables.ROOT.name else silver.child_rows(frame, table, [silver.RECORD_INDEX])
        for problem, failed in _failed(rows, table, schema):
            for index in rows.filter(failed).get_column(silver.RECORD_INDEX).unique(maintain_order=True):
                found[index].append(problem)
    return {index: tuple(problems) for index, problems in found.items()}


def _failed(rows: pl.DataFrame, table: str, schema: pa.DataFrameSchema) -> Iterator[tuple[Problem, pl.Series]]:
    for name, column in schema.columns.items():
        field = f"{table}.{name}"
        if not column.nullable:
            yield Problem(rule=f"{name}_present", field=field, message="missing or blank"), rows[name].is_null()
        for check in column.checks:
            yield _problem(check, field), ~_passed(check(rows.lazy(), name))
    for check in schema.checks:
        yield _problem(check, table), ~_passed(check(rows.lazy()))


def _problem(check: pa.Check, field: str) -> Problem:
    return Problem(rule=str(check.name), field=field, message=str(check.error))


def _passed(result: Any) -> pl.Series:
    """One boolean a row. A rule about a value says nothing where there is none: null passes."""
    mask: pl.Series = result.check_output.collect().to_series()
    return mask.fill_null(value=True)
