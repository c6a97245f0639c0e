"""A natural key as it is typed, and as its columns have it."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, Date, Text

from services.ops.lineage.rows import typed

NUMBER, NAME, DAY = Column("number", BigInteger), Column("name", Text), Column("day", Date)


@pytest.mark.parametrize(
    ("key", "columns", "values"),
    [
        ("840000001", [NUMBER], (840_000_001,)),
        (" 7 ", [NUMBER], (7,)),
        ("seven", [NUMBER], None),
        (str(2**63), [NUMBER], None),
        ("1,2", [NUMBER], None),
        ("Smith, John", [NAME], ("Smith, John",)),
        ("a,b", [NAME, NAME], ("a", "b")),
        ("a, b", [NAME, NAME], ("a", "b")),
        ("a,b\tc", [NAME, NAME], ("a,b", "c")),
        ("a", [NAME, NAME], None),
        ("a,b,c", [NAME, NAME], None),
        ("x,2026-01-05", [NAME, DAY], ("x", date(2026, 1, 5))),
        ("x,yesterday", [NAME, DAY], None),
    ],
)
def test_a_key_has_as_many_parts_as_columns_each_of_its_type(
    key: str, columns: list[Column[Any]], values: tuple[Any, ...] | None
) -> None:
    assert typed(key, columns) == values
