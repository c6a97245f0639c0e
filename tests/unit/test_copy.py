"""The text of COPY, in its CSV form: NULL is nothing at all, everything else is what Postgres reads as the value."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from services.loader.copy import _as_text


def csv(values: list[Any], dtype: pl.DataType | type[pl.DataType]) -> list[str]:
    """One column as COPY gets it, a line a row, with a second column that ends each line in `|`."""
    frame = pl.DataFrame({"it": values, "end": ["|"] * len(values)}, schema={"it": dtype, "end": pl.String})
    text = frame.select(_as_text(name, kind) for name, kind in frame.schema.items()).write_csv(include_header=False)
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
    assert csv([value], pl.String) == [text]


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
    (text,) = csv([value], pl.List(pl.String))
    assert unquoted(text) == literal


def test_a_list_that_is_null_is_null_and_its_neighbours_are_not() -> None:
    assert csv([["a"], None, []], pl.List(pl.String)) == ['"{""a""}"', "", "{}"]


def test_bytes_are_hexadecimal_and_null_bytes_are_null() -> None:
    assert csv([b"\x00\xffA", None, b""], pl.Binary) == ["\\x00ff41", "", "\\x"]


@pytest.mark.parametrize(
    ("value", "text"),
    [("120000.00", "120000.00"), ("19.51", "19.51"), ("-0.05", "-0.05"), ("999999999999.99", "999999999999.99")],
)
def test_decimals_keep_every_digit(value: str, text: str) -> None:
    assert csv([Decimal(value), None], pl.Decimal(14, 2)) == [text, ""]


def test_timestamps_are_iso_to_the_microsecond() -> None:
    moments = [datetime(2025, 9, 3, 12, 0, 1, 5), datetime(1, 1, 1), None]  # noqa: DTZ001 - columns without a zone
    assert csv(moments, pl.Datetime("us")) == ["2025-09-03T12:00:01.000005", "0001-01-01T00:00:00.000000", ""]


def test_booleans_whole_numbers_and_floats() -> None:
    assert csv([True, False, None], pl.Boolean) == ["true", "false", ""]
    assert csv([-(2**63), 2**63 - 1, None], pl.Int64) == ["-9223372036854775808", "9223372036854775807", ""]
    assert [float(text) for text in csv([-77.0365, 1e-7, 0.1], pl.Float64)] == [-77.0365, 1e-7, 0.1]
