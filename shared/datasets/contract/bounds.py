"""The bounds of a column's values, as polars expressions."""

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

# {type of a column: from a text to a value of it}; other types have bounds of their own type in a contract
PARSERS: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
    "date": lambda text: text.str.to_date("%Y-%m-%d"),
    "time": lambda text: text.str.to_time(),
    "timestamp": lambda text: text.str.to_datetime(),
    "timestamptz": lambda text: text.str.to_datetime(),
}


def literal(type_name: str, bound: Any) -> pl.Expr:
    """The bound as a literal. Evaluating it raises a PolarsError where the text is no date or time."""
    return PARSERS[type_name](pl.lit(str(bound))) if type_name in PARSERS else pl.lit(bound)
