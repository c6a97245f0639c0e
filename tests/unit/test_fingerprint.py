"""What tells whether a record is known: from its text, and whatever its text is."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.transformer.fingerprint import HASH_LENGTH, fingerprint
from shared.datasets.dataset import Dataset

RAW = cast(
    "Dataset", SimpleNamespace(key_fields=("id",), volatile=frozenset(("rank", "area.radial", "area.deep.rank")))
)
RECORD = {"id": 7, "title": "Engineer", "area": {"radial": True, "place": "x", "deep": {"rank": 1, "kept": 2}}}


def of(record: object, version: int = 1) -> tuple[str, bytes]:
    text = record if isinstance(record, bytes) else json.dumps(record).encode()
    return fingerprint(text, RAW, version)


def test_the_key_is_told_and_the_hash_is_short() -> None:
    key, found = of(RECORD)
    assert key == "7"
    assert len(found) == HASH_LENGTH


@pytest.mark.parametrize(
    "same",
    [
        RECORD | {"rank": 5},
        RECORD | {"area": {"place": "x", "deep": {"kept": 2}}},
        RECORD | {"area": {"radial": [1, {"rank": 2}], "place": "x", "deep": {"rank": None, "kept": 2}}},
        dict(reversed(RECORD.items())),
        RECORD | {"area": dict(reversed(cast("dict[str, Any]", RECORD["area"]).items()))},
    ],
)
def test_what_is_volatile_and_the_order_round_it_do_not_count(same: object) -> None:
    assert of(same) == of(RECORD)


@pytest.mark.parametrize(
    "other",
    [
        RECORD | {"id": "7"},
        RECORD | {"title": "Engineer "},
        RECORD | {"radial": True},
        RECORD | {"Rank": 5},
        RECORD | {"title": {"rank": 1}},
        RECORD | {"area": {"place": "x", "deep": {"kept": 2}, "rank": 1}},
        RECORD | {"area": {"place": "x", "deep": 2}},
        RECORD | {"area": "x"},
        RECORD | {"area": None},
        [RECORD],
    ],
)
def test_everything_else_counts(other: object) -> None:
    assert of(other)[1] != of(RECORD)[1]


def test_so_does_the_version_of_the_transform() -> None:
    assert of(RECORD, 1) != of(RECORD, 2)


def test_the_same_content_written_otherwise_counts_as_changed() -> None:
    written = [b'{"id": 7, "codes": [1,2]}', b'{"id": 7, "codes": [1, 2]}']
    assert [of(text)[0] for text in written] == ["7", "7"]
    assert of(written[0]) != of(written[1])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"7",
        b"[1]",
        b"null",
        b'"id"',
        b'{"id": 7',
        b'{"id": NaN}',
        b'{"id": "\\ud800"}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_is_no_record_has_no_key_and_a_hash_all_the_same(text: bytes) -> None:
    key, found = of(text)
    assert key == ""
    assert len(found) == HASH_LENGTH


def test_a_value_below_something_volatile_may_be_no_json_and_counts_as_it_is() -> None:
    assert of(b'{"id": 7, "area": NaN}')[1] != of(b'{"id": 7, "area": Infinity}')[1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "rank", "area", "x"]), inner),
    max_leaves=10,
)


@given(JSON, JSON)
def test_equal_hashes_mean_equal_content(one: object, other: object) -> None:
    if of(one)[1] == of(other)[1]:
        assert json.dumps(_counting(one), sort_keys=True) == json.dumps(_counting(other), sort_keys=True)


def _counting(record: Any) -> Any:
    """The record without what is volatile, done the plain way."""
    if not isinstance(record, dict):
        return record
    kept = {name: value for name, value in record.items() if name != "rank"}
    if isinstance(kept.get("area"), dict):
        area = {name: value for name, value in kept["area"].items() if name != "radial"}
        if isinstance(area.get("deep"), dict):
            area["deep"] = {name: value for name, value in area["deep"].items() if name != "rank"}
        kept["area"] = area
    return kept
