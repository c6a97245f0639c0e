"""Types of columns that evolution adds: a column can become text without a loss."""

from typing import Any

import pytest

from services.loader.evolved_types import common_type, decode, encode, value_text, value_type


@pytest.mark.parametrize(
    ("json", "expected", "text"),
    [
        ("true", "boolean", "true"),
        ("12", "bigint", "12"),
        ("-9223372036854775808", "bigint", "-9223372036854775808"),
        ("9223372036854775808", "numeric", "9223372036854775808"),
        ("0.10", "numeric", "0.10"),
        ("1e3", "numeric", "1e3"),
        ('"12"', "bigint", "12"),
        ('"007"', "text", "007"),
        ('"+1"', "text", "+1"),
        ('"-0"', "text", "-0"),
        ('"99999999999999999999"', "text", "99999999999999999999"),
        ('"1.50"', "numeric", "1.50"),
        ('"-0.0"', "text", "-0.0"),
        ('"1e3"', "text", "1e3"),
        ('"1,200"', "text", "1,200"),
        ('"NaN"', "text", "NaN"),
        ('"Yes"', "text", "Yes"),
        ('"TRUE"', "text", "TRUE"),
        ('"2026-02-28"', "date", "2026-02-28"),
        ('"2026-02-30"', "text", "2026-02-30"),
        ('"2026-02-28T10:00:00Z"', "text", "2026-02-28T10:00:00Z"),
        ('" x "', "text", "x"),
        ('{"a":[0.10,99999999999999999999]}', "jsonb", '{"a":[0.10,99999999999999999999]}'),
    ],
)
def test_a_value_has_the_narrowest_type_with_its_text(json: str, expected: str, text: str) -> None:
    value = decode(f'{{"x":{json}}}')["x"]
    assert (value_type(value), value_text(value)) == (expected, text)


@pytest.mark.parametrize("value", [None, "", " \t"])
def test_blanks_are_null(value: Any) -> None:
    assert value_text(value) is None


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["bigint", "numeric"], "numeric"),
        (["numeric", "bigint"], "numeric"),
        (["bigint", "boolean"], "text"),
        (["date", "date"], "date"),
        (["jsonb", "text"], "text"),
        (["numeric", "date", "bigint"], "text"),
    ],
)
def test_types_have_a_common_wider_one(types: list[str], expected: str) -> None:
    assert common_type(types) == expected


def test_what_is_left_keeps_its_digits() -> None:
    text = '{"a":0.10,"b":99999999999999999999,"c":{"d":[1E+2,null]}}'
    assert encode(decode(text)) == text
    assert encode({}) is None
