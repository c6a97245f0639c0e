"""The pandera schemas of a contract. A rule about a value passes where there is none."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.polars import PolarsData

from shared.datasets.contract import bounds
from shared.datasets.contract.document import Column, Contract, Rule, Table, Unique

COMPARISONS = {
    "minimum": (pl.Expr.ge, "below {}"),
    "exclusiveMinimum": (pl.Expr.gt, "not above {}"),
    "maximum": (pl.Expr.le, "above {}"),
    "exclusiveMaximum": (pl.Expr.lt, "not below {}"),
}


def build(contract: Contract) -> Mapping[str, pa.DataFrameSchema]:
    """{table: schema}, without tables that have no rules."""
    schemas = {table.name: _schema(table) for table in contract.tables}
    return {name: schema for name, schema in schemas.items() if schema.columns or schema.checks}


def _schema(table: Table) -> pa.DataFrameSchema:
    columns = {column.name: [*_checks(column)] for column in table.columns}
    return pa.DataFrameSchema(
        {
            column.name: pa.Column(checks=columns[column.name], nullable=not column.required)
            for column in table.columns
            if column.required or columns[column.name]
        },
        checks=[*map(_rule, table.rules), *map(_unique, table.unique)],
    )


def _checks(column: Column) -> Iterator[pa.Check]:
    name, limits = column.name, column.limits
    if limited := {word: limits[word] for word in COMPARISONS if word in limits}:
        yield _range(column, limited)
    if "minLength" in limits or "maxLength" in limits:
        shortest, longest = limits.get("minLength"), limits.get("maxLength")
        yield pa.Check.str_length(
            shortest,
            longest,
            name=f"{name}_length",
            error=f"not {shortest or 0} to {longest or 'any number of'} characters",
        )
    if pattern := limits.get("pattern"):
        yield _each(f"{name}_pattern", f"does not match {pattern}", pl.col(name).str.contains(pattern))
    if "multipleOf" in limits:
        yield _each(
            f"{name}_multiple", f"no multiple of {limits['multipleOf']}", pl.col(name) % limits["multipleOf"] == 0
        )
    if "minItems" in limits or "maxItems" in limits:
        size = pl.col(name).list.len().is_between(limits.get("minItems", 0), limits.get("maxItems", 2**32))
        yield _each(f"{name}_items", "too few or too many items", size)
    if limits.get("uniqueItems"):
        distinct = pl.col(name).list.n_unique() == pl.col(name).list.len()
        yield _each(f"{name}_unique_items", "an item is repeated", distinct)
    if column.valid_values and column.valid_values_severity != "info":
        warn = column.valid_values_severity == "warning"
        yield pa.Check.isin(
            list(column.valid_values), name=f"{name}_known", error="no documented value", raise_warning=warn
        )
    if column.unique:
        yield _unique(Unique(None, (name,)))


def _range(column: Column, limited: Mapping[str, Any]) -> pa.Check:
    own = pl.col(column.name)
    passed = [COMPARISONS[word][0](own, bounds.value(column.type.name, bound)) for word, bound in limited.items()]
    words = " or ".join(COMPARISONS[word][1].format(bound) for word, bound in limited.items())
    return _each(f"{column.name}_range", words, pl.all_horizontal(passed))


def _rule(rule: Rule) -> pa.Check:
    return _each(rule.name, rule.message, pl.sql_expr(rule.expression), warn=rule.severity != "error")


def _unique(rule: Unique) -> pa.Check:
    """Of records with one key the loader keeps the last; this only warns."""
    alone = pl.struct(rule.columns).is_unique()
    return _each(
        rule.name or f"{'_'.join(rule.columns)}_unique", "more than one record with this value", alone, warn=True
    )


def _each(name: str, error: str, passed: pl.Expr, *, warn: bool = False) -> pa.Check:
    """A check of an expression that is true or null for valid rows."""

    def check(data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(passed)

    return pa.Check(check, name=name, error=error, raise_warning=warn)
