"""The text of COPY, in its CSV form: NULL is nothing at all, everything else is what Postgres reads as the value."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from sqlalchemy import ARRAY, BigInteger, Boolean, Column, DateTime, Double, Integer, LargeBinary, Numeric, Text
from sqlalchemy.types import TypeEngine

from services.loader.copy import _as_text
from shared.formats import silver


def csv(values: list[Any], kind: TypeEngine[Any] | type[TypeEngine[Any]]) -> list[str]:
    """One column as COPY gets it, a line a row, with a second column that ends each line in `|`."""
    columns = [Column("it", kind), Column("end", Text)]
    schema = {column.name: silver.dtype(column.type) for column in columns}
    frame = pl.DataFrame({"it": values, "end": ["|"] * len(values)}, schema=schema)
    text = frame.select(map(_as_text, columns)).write_csv(include_header=False)
    return text.removesuffix(",|\n").split(",|\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(None, "", id="null"),
        pytest.param("", '""', id="empty"),
        pytest.param(" ", " ", id="space"),
        pytest.param("a,b", '"a,b"', id="comma"),
        pytest.param('5" pipe', '"5"" pipe"', id="quote"),
        pytest.param("a\nb", '"a\nb"', id="newline"),
        pytest.param("a\rb", '"a\rb"', id="carriage return"),
        pytest.param("a\r\nb", '"a\r\nb"', id="both"),
        pytest.param("C:\\new\\.", "C:\\new\\.", id="backslashes"),
        pytest.param("\\N", "\\N", id="null of COPY's other form"),
        pytest.param("NULL", "NULL", id="the word"),
        pytest.param("é日😀", "é日😀", id="unicode"),
    ],
)
def test_text(value: str | None, text: str) -> None:
    assert csv([value], Text) == [text]


def unquoted(text: str) -> str:
    """What CSV makes of a field."""
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        pytest.param([], "{}", id="empty list"),
        pytest.param(["a"], '{"a"}', id="one"),
        pytest.param(["a", "b"], '{"a","b"}', id="two"),
        pytest.param([""], '{""}', id="empty text"),
        pytest.param(["NULL"], '{"NULL"}', id="the word NULL"),
        pytest.param(["a,b", "{c}"], '{"a,b","{c}"}', id="commas and braces"),
        pytest.param(['say "hi"'], '{"say \\"hi\\""}', id="quotes"),
        pytest.param(["C:\\new"], '{"C:\\\\new"}', id="backslash"),
        pytest.param(['\\"'], '{"\\\\\\""}', id="backslash before a quote"),
        pytest.param(["a\nb", " "], '{"a\nb"," "}', id="newline and space"),
    ],
)
def test_a_list_is_an_array_literal_with_every_element_quoted(value: list[str], literal: str) -> None:
    (text,) = csv([value], ARRAY(Text))
    assert unquoted(text) == literal


def test_a_list_that_is_null_is_null_and_its_neighbours_are_not() -> None:
    assert csv([["a"], None, []], ARRAY(Text)) == ['"{""a""}"', "", "{}"]


def test_bytes_are_hexadecimal_and_null_bytes_are_null() -> None:
    assert csv([b"\x00\xffA", None, b""], LargeBinary) == ["\\x00ff41", "", "\\x"]


@pytest.mark.parametrize(
    ("value", "text"),
    [("120000.00", "120000.00"), ("19.51", "19.51"), ("-0.05", "-0.05"), ("999999999999.99", "999999999999.99")],
)
def test_decimals_keep_every_digit(value: str, text: str) -> None:
    assert csv([Decimal(value), None], Numeric(14, 2)) == [text, ""]


def test_timestamps_are_iso_to_the_microsecond() -> None:
    moments = [datetime(2025, 9, 3, 12, 0, 1, 5), datetime(1, 1, 1), None]  # noqa: DTZ001 - columns without a zone
    assert csv(moments, DateTime) == ["2025-09-03T12:00:01.000005", "0001-01-01T00:00:00.000000", ""]


def test_booleans_whole_numbers_and_floats() -> None:
    assert csv([True, False, None], Boolean) == ["true", "false", ""]
    assert csv([-(2**63), 2**63 - 1, None], BigInteger) == ["-9223372036854775808", "9223372036854775807", ""]
    assert [float(text) for text in csv([-77.0365, 1e-7, 0.1], Double)] == [-77.0365, 1e-7, 0.1]


def test_timestamps_with_a_time_zone_are_of_utc() -> None:
    assert csv([datetime(2025, 9, 3, 12), None], DateTime(timezone=True)) == ["2025-09-03T12:00:00.000000+0000", ""]  # noqa: DTZ001 - as frames have it


@pytest.mark.parametrize(
    ("value", "kind", "literal"),
    [
        ([1, None, -3], Integer, '{"1",NULL,"-3"}'),
        ([0.1, -2.5], Double, '{"0.1","-2.5"}'),
        ([True, False], Boolean, '{"true","false"}'),
        ([Decimal("1.50")], Numeric(14, 2), '{"1.50"}'),
        (["a", None], Text, '{"a",NULL}'),
    ],
)
def test_arrays_of_other_types(value: list[Any], kind: Any, literal: str) -> None:
    assert unquoted(csv([value], ARRAY(kind))[0]) == literal
