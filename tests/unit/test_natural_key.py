"""Natural keys: text to values to text, for each type that a column of a key can have."""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Text,
    Time,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared import natural_key
from shared.formats import silver

MONEY = Numeric(14, 2)
VALUES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (BigInteger(), st.integers(-(2**63), 2**63 - 1)),
    (Integer(), st.integers(-(2**31), 2**31 - 1)),
    (SmallInteger(), st.integers(-(2**15), 2**15 - 1)),
    (Boolean(), st.booleans()),
    (Double(), st.floats(allow_nan=False, allow_infinity=False)),
    (Text(), st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1)),
    (Date(), st.dates()),
    (DateTime(), st.datetimes()),
    (Time(), st.times()),
    (MONEY, st.decimals(-(10**12) + 1, 10**12 - 1, places=2)),
    (Numeric(38, 0), st.integers(-(10**38) + 1, 10**38 - 1).map(Decimal)),
    (LargeBinary(), st.binary()),
    (Uuid(as_uuid=False), st.uuids().map(str)),
]
KEYS = st.lists(st.sampled_from(VALUES), min_size=1, max_size=4).flatmap(
    lambda chosen: st.tuples(
        st.just([Column(f"c{n}", kind) for n, (kind, _) in enumerate(chosen)]),
        st.tuples(*(values for _, values in chosen)),
    )
)


@given(KEYS)
def test_values_as_text_are_the_same_values_again(key: tuple[list[Column[Any]], tuple[Any, ...]]) -> None:
    columns, values = key
    text = natural_key.text(values, columns)
    assert natural_key.values(text, columns) == values
    assert natural_key.text(natural_key.values(text, columns) or (), columns) == text


@given(st.lists(st.sampled_from(VALUES), min_size=1, max_size=3), st.text())
def test_any_text_is_a_key_in_one_spelling_or_none(chosen: list[tuple[Any, Any]], text: str) -> None:
    columns = [Column(f"c{n}", kind) for n, (kind, _) in enumerate(chosen)]
    values = natural_key.values(text, columns)
    assert values is None or natural_key.text(values, columns) == text


@given(KEYS)
def test_values_that_a_frame_gives_back_have_the_same_text(key: tuple[list[Column[Any]], tuple[Any, ...]]) -> None:
    columns, values = key
    frame = pl.DataFrame(
        [pl.Series(c.name, [value], silver.dtype(c.type)) for c, value in zip(columns, values, strict=True)]
    )
    assert natural_key.texts(frame.iter_rows(), columns) == [natural_key.text(values, columns)]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Date(), "2009-12-18", date(2009, 12, 18)),
        (Date(), "Dec 18 2009", None),
        (DateTime(), "2009-12-18T12:30:00", datetime(2009, 12, 18, 12, 30)),  # noqa: DTZ001 - moments have no zone
        (DateTime(), "2009-12-18T12:30:00Z", None),
        (DateTime(), "2009-12-18 12:30:00", None),
        (Time(), "12:30:00", time(12, 30)),
        (Boolean(), "true", True),
        (Boolean(), "True", None),
        (MONEY, "1.50", Decimal("1.50")),
        (MONEY, "1.5", None),
        (MONEY, "-0.00", None),
        (MONEY, "9" * 13, None),
        (Integer(), str(2**31), None),
        (BigInteger(), "1_000", None),
        (BigInteger(), "01", None),
        (LargeBinary(), r"\x00ff", b"\x00\xff"),
        (LargeBinary(), "ÿ", None),
        (Uuid(as_uuid=False), "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", None),
    ],
)
def test_a_key_has_one_spelling(kind: Any, text: str, value: object) -> None:
    values = natural_key.values(text, [Column("c", kind)])
    assert values == (None if value is None else (value,))


@pytest.mark.parametrize(
    ("kind", "text", "canonical"),
    [
        (DateTime(), "2009-12-18 12:30:00+02:00", "2009-12-18T10:30:00"),
        (MONEY, "1.5", "1.50"),
        (MONEY, "-0", "0.00"),
        (Boolean(), "True", "true"),
        (Double(), "-0", "0.0"),
        (Uuid(as_uuid=False), "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ],
)
def test_what_people_write_is_understood(kind: Any, text: str, canonical: str) -> None:
    columns = [Column("c", kind)]
    values = natural_key.parse([text], columns)
    assert values is not None
    assert natural_key.text(values, columns) == canonical


@pytest.mark.parametrize("kind", [JSON(), DateTime(timezone=True)])
def test_some_types_cannot_be_part_of_a_key(kind: Any) -> None:
    assert not natural_key.can_be_key(kind)


@pytest.mark.parametrize("kind", [kind for kind, _ in VALUES])
def test_every_type_of_a_silver_frame_can_be_part_of_a_key(kind: Any) -> None:
    assert natural_key.can_be_key(kind)
    assert {*silver.DTYPES} - {JSONB} <= {*natural_key.CONVERSIONS}
