"""Fields that records get from the request of their page."""

import msgspec
import orjson
import pytest

from services.transformer.formats.added_fields import with_fields
from shared import lenient_json

FIELDS = {"order": "17"}


@pytest.mark.parametrize(
    ("record", "value"),
    [
        (b'{"line": 1}', {"order": "17", "line": 1}),
        (b' \n{ "line": 1 }', {"order": "17", "line": 1}),
        (b"{}", {"order": "17"}),
        (b"{ }", {"order": "17"}),
        (b'{"order": "A"}', {"order": "A"}),
        (b'{"order": null}', {"order": None}),
        (b'"text"', "text"),
        (b"[1]", [1]),
        (b"null", None),
    ],
)
def test_a_record_has_the_fields_and_its_own_ones_count(record: bytes, value: object) -> None:
    (changed,) = with_fields([record], FIELDS)
    for parse in (orjson.loads, msgspec.json.decode, lenient_json.flawed):
        assert parse(changed) == value


@pytest.mark.parametrize("fields", [None, {}, [], "order"])
def test_without_fields_a_record_stays_as_it_is(fields: object) -> None:
    assert list(with_fields([b'{"line": 1}'], fields)) == [b'{"line": 1}']


def test_a_field_is_quoted_as_json() -> None:
    (changed,) = with_fields([b'{"line": 1}'], {'a "b"': "c\\\n"})
    assert orjson.loads(changed) == {'a "b"': "c\\\n", "line": 1}
