"""The quality gate: pandera's checks, each giving a mask of rows, so that no rule can drop or miss any."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandera.polars as pa
import polars as pl

from shared.datasets.contract import Tables
from shared.formats import silver
from shared.formats.quarantine import Problem
from shared.formats.silver import RuleWarning


@dataclass(frozen=True)
class _Rule:
    problem: Problem
    passed: pl.LazyFrame  # its first column: whether a row passes
    only_warns: bool


Problems = dict[int, tuple[Problem, ...]]  # {record index: the rules it failed}


def run_checks(
    frame: pl.DataFrame, rules: Mapping[str, pa.DataFrameSchema], tables: Tables
) -> tuple[Problems, tuple[RuleWarning, ...]]:
    """The records with a row, in any table, that fails a rule; and the rules that only warn, with their failures."""
    if frame.is_empty():
        return {}, ()
    problems: dict[int, list[Problem]] = defaultdict(list)
    warnings = []
    for table, schema in rules.items():
        rows = frame if table == tables.ROOT.name else silver.child_rows(frame, table, [silver.RECORD_INDEX])
        for rule, passed in _results(rows, table, schema):
            if passed.all():
                continue
            records = rows.get_column(silver.RECORD_INDEX).filter(~passed).unique(maintain_order=True)
            if rule.only_warns:
                warnings.append(RuleWarning(**rule.problem.model_dump(), records=len(records)))
            else:
                for index in records:
                    problems[index].append(rule.problem)
    return {index: tuple(found) for index, found in problems.items()}, tuple(warnings)


def _results(rows: pl.DataFrame, table: str, schema: pa.DataFrameSchema) -> Iterator[tuple[_Rule, pl.Series]]:
    """Each rule and which rows pass it: one boolean a row. All are computed in one go, which costs less."""
    rules = list(_rules(rows.lazy(), table, schema))
    masks = [rule.passed.select(pl.first().fill_null(value=True)) for rule in rules]
    return zip(rules, (mask.to_series() for mask in pl.collect_all(masks)), strict=True)


def _rules(rows: pl.LazyFrame, table: str, schema: pa.DataFrameSchema) -> Iterator[_Rule]:
    """A rule about a value says nothing where there is none: null passes."""
    for name, column in schema.columns.items():
        field = f"{table}.{name}"
        if not column.nullable:
            problem = Problem(rule=f"{name}_present", field=field, message="missing or blank")
            yield _Rule(problem, rows.select(pl.col(name).is_not_null()), only_warns=False)
        for check in column.checks:
            yield _Rule(_problem(check, field), check(rows, name).check_output, check.raise_warning)
    for check in schema.checks:
        yield _Rule(_problem(check, table), check(rows).check_output, check.raise_warning)


def _problem(check: pa.Check, field: str) -> Problem:
    return Problem(rule=str(check.name), field=field, message=str(check.error))
