"""Rules that the gates of several datasets have. A rule about a value passes where there is none."""

import pandera.polars as pa
import polars as pl
from pandera.polars import PolarsData


def not_above(low: str, high: str) -> pa.Check:
    """A table's rule: of two columns one is never the larger."""

    def in_order(data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col(low) <= pl.col(high))

    return pa.Check(in_order, name=f"{low}_not_above_{high}", error=f"{low} is above {high}")


def has_rows(child: str) -> pa.Check:
    """A root table's rule, which only warns: each record has rows in a child table."""

    def present(data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col(child).list.len() > 0)

    return pa.Check(present, name=f"{child}_present", error=f"no row in {child}", raise_warning=True)


def unique(*columns: str) -> pa.Check:
    """A table's rule, which only warns: the loader keeps the last of records with one key."""

    def alone(data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.struct(columns).is_unique())

    return pa.Check(alone, name="key_unique", error="more than one record with this key", raise_warning=True)


def present() -> pa.Column:
    """A value of any type that must be there: a key."""
    return pa.Column(nullable=False)


def not_negative(column: str) -> pa.Column:
    """A number that may be absent."""
    return pa.Column(checks=pa.Check.ge(0, name=f"{column}_not_negative", error=f"{column} is negative"), nullable=True)


def within(column: str, low: float, high: float) -> pa.Column:
    """A number that may be absent."""
    check = pa.Check.in_range(low, high, name=f"{column}_range", error=f"outside {low:g}..{high:g}")
    return pa.Column(float, check, nullable=True)


def text(column: str, longest: int, *, required: bool = False) -> pa.Column:
    """Text of a bounded length: what is indexed or shown in a line must not be a book."""
    length = pa.Check.str_length(
        1 if required else None, longest, name=f"{column}_length", error=f"longer than {longest} characters"
    )
    return pa.Column(str, length, nullable=not required)


def http_address(column: str) -> pa.Column:
    """Where browsers may be sent."""
    check = pa.Check.str_matches(r"^https?://", name=f"{column}_is_http", error="not an http(s) address")
    return pa.Column(str, check, nullable=True)


def known(column: str, values: frozenset[str]) -> pa.Column:
    """A code that is documented; others only warn, because lists grow."""
    check = pa.Check.isin(sorted(values), name=f"{column}_known", error="no documented code", raise_warning=True)
    return pa.Column(str, check, nullable=True)
