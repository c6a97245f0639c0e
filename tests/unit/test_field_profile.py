"""What raw records look like, counted."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.transformer.field_profile import MAX_FIELDS, MAX_LENGTH, FieldProfiler
from shared.formats.silver import FieldProfile

LEVELS = 64
KNOWN = {"status": ("open",), "pay[].per": ("year",), "tags[]": ("a",)}


def shape(*records: object) -> FieldProfile:
    """Of these records together."""
    profiler = FieldProfiler(KNOWN)
    for record in records:
        profiler.add(record, LEVELS)
    return profiler.profile()


def test_each_field_is_counted_by_its_json_type() -> None:
    assert shape({"a": "x", "b": 1, "c": None}, {"a": 2.5, "b": True}) == {
        "": {"object": 2},
        "a": {"string": 1, "number": 1},
        "b": {"number": 1, "boolean": 1},
        "c": {"null": 1},
    }


def test_fields_of_objects_have_a_dotted_path() -> None:
    assert shape({"a": {"b": {"c": 1}}}, {"a": {"b": None}}) == {
        "": {"object": 2},
        "a": {"object": 2},
        "a.b": {"object": 1, "null": 1},
        "a.b.c": {"number": 1},
    }


def test_the_items_of_a_list_are_counted_as_objects_of_their_own() -> None:
    assert shape({"a": [{"b": 1}, {"b": 2}, {}]}, {"a": []}) == {
        "": {"object": 2},
        "a": {"array": 2},
        "a[]": {"object": 3},
        "a[].b": {"number": 2},
    }


def test_lists_in_lists_and_lists_of_plain_values_are_looked_through() -> None:
    assert shape({"a": [[{"b": 1}]], "c": [1, "x", None]}) == {
        "": {"object": 1},
        "a": {"array": 1},
        "a[]": {"object": 1},
        "a[].b": {"number": 1},
        "c": {"array": 1},
    }


def test_values_are_counted_where_they_are_known() -> None:
    found = shape(
        {"status": "open", "other": "x"},
        {"status": "new", "pay": [{"per": "year"}, {"per": "hour"}]},
        {"status": None, "tags": ["a", "b", "a"]},
        {"status": 5},
    )
    assert found["status"] == {"string": 2, "null": 1, "number": 1, "=open": 1, "=new": 1, "=5": 1}
    assert found["pay[].per"] == {"string": 2, "=year": 1, "=hour": 1}
    assert found["tags[]"] == {"=a": 2, "=b": 1}
    assert found["other"] == {"string": 1}


@pytest.mark.parametrize("record", [None, 1, "x", [], [[]], True])
def test_what_is_no_object_has_no_shape(record: object) -> None:
    assert shape(record) == {}


def test_an_object_without_fields_is_counted() -> None:
    assert shape({}) == {"": {"object": 1}}


@pytest.mark.parametrize("name", ["a\x00b", "a\ud800b"])
def test_names_and_values_that_the_database_cannot_hold_are_replaced(name: str) -> None:
    found = shape({name: 1, "status": name, "more": [{name: 1}], "object": {name: {}}})
    json.dumps(found, ensure_ascii=False).encode()
    assert "\\u0000" not in json.dumps(found)
    assert found["a\N{REPLACEMENT CHARACTER}b"] == {"number": 1}
    assert found["status"]["=a\N{REPLACEMENT CHARACTER}b"] == 1


def test_long_names_and_values_are_cut() -> None:
    found = shape({"n" * 1_000: 1, "status": "v" * 1_000})
    assert found["n" * MAX_LENGTH] == {"number": 1}
    assert found["status"]["=" + "v" * MAX_LENGTH] == 1


@pytest.mark.parametrize(
    "value", [1, {}, [], [{}], [{"x": 1}], {"x": [{}]}], ids=["number", "object", "list", "objects", "fields", "deep"]
)
def test_a_source_that_makes_up_names_does_not_fill_the_ledger(value: object) -> None:
    found = shape({"id": 1}, *({f"field {n}": value} for n in range(2 * MAX_FIELDS)))
    assert len(found) <= MAX_FIELDS + 1
    assert found["id"] == {"number": 1}
    assert found[""]["object"] == 2 * MAX_FIELDS + 1


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(JSON_VALUES, max_size=4))
def test_any_record_has_a_shape_that_can_be_stored(records: list[Any]) -> None:
    found = shape(*records)
    json.dumps(found, ensure_ascii=False).encode()
    assert "\x00" not in "".join(found)


@given(st.lists(st.dictionaries(st.text(st.characters(), max_size=3), JSON_VALUES, max_size=3), max_size=4))
def test_the_records_are_counted_whatever_their_fields_are_called(records: list[dict[str, Any]]) -> None:
    assert shape(*records).get("", {}) == ({"object": len(records)} if records else {})


@given(st.lists(st.dictionaries(st.sampled_from("abc"), JSON_VALUES, max_size=3), max_size=4))
def test_records_seen_together_are_counted_as_each_by_itself(records: list[dict[str, Any]]) -> None:
    together, alone = shape(*records), [shape(record) for record in records]
    for path, counts in together.items():
        for kind, times in counts.items():
            assert times == sum(one.get(path, {}).get(kind, 0) for one in alone)
