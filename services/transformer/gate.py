"""Runs a dataset's pandera checks as boolean masks, one value per row."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData
from pandera.backends.polars.register import register_polars_backends

from shared.datasets.dataset import Tables
from shared.formats import silver
from shared.formats.quarantine import Problem
from shared.formats.silver import RuleWarning

register_polars_backends()  # pandera does this when a schema is first used
AS_IT_IS = pl.QueryOptFlags.none()  # there is nothing to optimise in comparisons of columns


@dataclass(frozen=True)
class _Rule:
    name: str
    field: str
    message: str
    passed: pl.LazyFrame  # one column: whether each row passes
    only_warns: bool

    @property
    def problem(self) -> Problem:
        return Problem(rule=self.name, field=self.field, message=self.message)


Problems = dict[int, tuple[Problem, ...]]  # {record index: the rules it failed}


def run_checks(
    frame: pl.DataFrame, rules: Mapping[str, pa.DataFrameSchema], tables: Tables
) -> tuple[Problems, tuple[RuleWarning, ...]]:
    """The records with a row in any table that fails a rule, and the rules that only warn with their failures."""
    if frame.is_empty():
        return {}, ()
    problems: dict[int, list[Problem]] = defaultdict(list)
    warnings = []
    for table, schema in rules.items():
        rows = frame if table == tables.root.name else silver.child_rows(frame, table, [silver.RECORD_INDEX])
        for rule, passed in _results(rows, table, schema):
            if passed.all():  # null counts as passed, here and below
                continue
            records = rows.get_column(silver.RECORD_INDEX).filter(~passed).unique(maintain_order=True)
            if rule.only_warns:
                warnings.append(RuleWarning(**rule.problem.model_dump(), records=len(records)))
            else:
                for index in records:
                    problems[index].append(rule.problem)
    return {index: tuple(failures) for index, failures in problems.items()}, tuple(warnings)


def _results(rows: pl.DataFrame, table: str, schema: pa.DataFrameSchema) -> Iterator[tuple[_Rule, pl.Series]]:
    """Each rule with a boolean per row, or null if the rule does not apply."""
    rules = list(_rules(rows.lazy(), table, schema))
    masks = pl.collect_all([rule.passed for rule in rules], engine="in-memory", optimizations=AS_IT_IS)
    return zip(rules, (mask.to_series() for mask in masks), strict=True)


def _rules(rows: pl.LazyFrame, table: str, schema: pa.DataFrameSchema) -> Iterator[_Rule]:
    """The rules of a schema. Checks of a column do not apply to nulls."""
    for name, column in schema.columns.items():
        field = f"{table}.{name}"
        if not column.nullable:
            present = rows.select(pl.col(name).is_not_null())
            yield _Rule(f"{name}_present", field, "missing or blank", present, only_warns=False)
        yield from (_rule(check, field, PolarsData(rows, name)) for check in column.checks)
    yield from (_rule(check, table, PolarsData(rows)) for check in schema.checks)


def _rule(check: pa.Check, field: str, data: PolarsData) -> _Rule:
    """Calls the check's backend directly: pandera's own call also collects failure cases, at most of the CPU time."""
    backend: Any = check.get_backend(data.lazyframe)(check)
    output: pl.LazyFrame | bool = backend.apply(data)
    passed = pl.LazyFrame({"passed": [output]}) if isinstance(output, bool) else output
    return _Rule(str(check.name), field, str(check.error), passed, check.raise_warning)
