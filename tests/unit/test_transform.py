"""Every record is a row or has problems, whatever it is, and what is kept of those that have."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.loader import drift
from services.transformer.batching import RecordBatch, batched
from services.transformer.content import Encoded, Unreadable, unreadable
from services.transformer.fingerprint import natural_key
from services.transformer.input_limits import InputLimits
from services.transformer.provenance import Provenance
from services.transformer.quarantine_entries import quarantine_entries
from services.transformer.stored_key import stored_key
from services.transformer.transform import TransformResult, parse, transform
from shared.datasets import registry
from shared.datasets.contract.raw_model import fields
from shared.formats.silver import RECORD_INDEX
from shared.storage.object_id import ObjectId

BOUNDS = InputLimits(stored=1 << 20, expanded=1 << 20, document=1 << 20, record=2_000, nesting=16)
SEARCH, HISTORIC = "usajobs_search", "usajobs_historic"
ORIGIN = Provenance(
    dataset=SEARCH,
    bronze=ObjectId("lake", "uploads/usajobs_search/a.jsonl", version_id="v"),
    observed_at=datetime(2025, 9, 3, 12, tzinfo=UTC),
    transform_version=1,
    ingest=None,
    replay=None,
    expected_records=None,
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
SPECIAL = ["", " ", None, "1E5", "$1,0", "NaN", "2025-09-03T00:00:00Z", "0001-01-01", "9999-12-31", "Y", "1e400", 2**64]
SCALARS = st.sampled_from(SPECIAL) | JSON_VALUES
NUMBERS = st.integers(1, 9) | JSON_VALUES
ITEMS = st.lists(
    st.dictionaries(st.sampled_from(["Latitude", "MinimumRange", "MaximumRange", "Code"]), SCALARS, max_size=3),
    max_size=3,
)
PATHS = sorted({path for paths, _ in fields(registry.dataset("usajobs_search").record_model) for path in paths})
DESCRIPTOR = st.sampled_from([path.split(".")[1] for path in PATHS if path.count(".") == 1])
DETAILS = st.sampled_from([path.rpartition(".")[2] for path in PATHS if ".Details." in path])


def posting(number: object, details: object = None, **fields: Any) -> dict[str, Any]:
    """A posting of the Search API."""
    descriptor = {"PositionTitle": "Engineer", **fields, "UserArea": {"Details": details or {}}}
    return {"MatchedObjectId": number, "MatchedObjectDescriptor": descriptor, "RelevanceRank": 0}


def encoded(*records: object) -> list[bytes]:
    """As a document or a line would have them."""
    return [json.dumps(record).encode() for record in records]


def batch(dataset: str, *records: Encoded, first: int = 0) -> TransformResult:
    """What becomes of these records."""
    return transform(dataset, records, first, BOUNDS)


SEARCH_RECORDS = JSON_VALUES | st.builds(
    lambda number, places, pay, fields, details: posting(
        number, details, **{"PositionLocation": places, "PositionRemuneration": pay, **fields}
    ),
    NUMBERS,
    ITEMS,
    ITEMS,
    st.dictionaries(DESCRIPTOR.filter(lambda name: name != "UserArea"), SCALARS | ITEMS, max_size=3),
    st.dictionaries(DETAILS, SCALARS, max_size=3),
)
HISTORIC_FIELDS = (
    "positionTitle", "minimumSalary", "maximumSalary", "positionOpenDate", "positionCloseDate", "agencyLevel",
    "supervisoryStatus", "salaryType", "hiringPaths", "HiringPaths", "jobCategories", "positionLocations",
)  # fmt: skip
HISTORIC_ITEMS = st.lists(
    st.dictionaries(st.sampled_from(["hiringPath", "series", "positionLocationCity"]), SCALARS, max_size=2), max_size=3
)
HISTORIC_RECORDS = JSON_VALUES | st.builds(
    lambda number, fields: {"usajobsControlNumber": number, "positionTitle": "Engineer", **fields},
    NUMBERS,
    st.dictionaries(st.sampled_from(HISTORIC_FIELDS), SCALARS | HISTORIC_ITEMS, max_size=4),
)
# What a file may have in place of a record.
DAMAGED = st.binary(max_size=30) | st.builds(lambda text: unreadable("csv", "why", text), st.binary(max_size=30))


def conserved(dataset: str, records: list[Encoded], first: int) -> None:
    """Fails unless each record is one row or has problems, under its own index."""
    outcome = batch(dataset, *records, first=first)
    rows = outcome.frame[RECORD_INDEX].to_list()
    assert sorted([*rows, *outcome.problems]) == list(range(first, first + len(records)))
    assert all(problems for problems in outcome.problems.values())


@settings(max_examples=150)
@given(st.lists(SEARCH_RECORDS.map(lambda record: encoded(record)[0]) | DAMAGED, max_size=4), st.integers(0, 10**6))
def test_every_search_record_is_a_row_or_has_problems(records: list[Encoded], first: int) -> None:
    conserved(SEARCH, records, first)


@settings(max_examples=150)
@given(st.lists(HISTORIC_RECORDS.map(lambda record: encoded(record)[0]) | DAMAGED, max_size=4), st.integers(0, 10**6))
def test_every_historic_record_is_a_row_or_has_problems(records: list[Encoded], first: int) -> None:
    conserved(HISTORIC, records, first)


@settings(max_examples=100)
@given(st.lists(SEARCH_RECORDS.map(lambda record: encoded(record)[0]) | DAMAGED, max_size=4))
def test_everything_that_is_rejected_can_be_kept(records: list[Encoded]) -> None:
    (part,) = batched(iter([*encoded(posting("\x00"), posting("\ud800")), *records]))
    problems = batch(SEARCH, *part.records).problems
    entries = list(quarantine_entries(ORIGIN, part, problems, BOUNDS))
    assert [entry.record_index for entry in entries] == sorted(problems)


def test_entries_of_a_later_batch_are_of_its_own_records() -> None:
    part = RecordBatch(number=2, first=70, records=[*encoded(posting(1), posting(2, PositionTitle=""))], last=True)
    (entry,) = quarantine_entries(ORIGIN, part, batch(SEARCH, *part.records, first=70).problems, BOUNDS)
    assert (entry.record_index, entry.natural_key) == (71, "2")


def test_a_flawed_record_may_be_nested_deeper_than_python_goes() -> None:
    text = b'{"a": "\\u0000", "b": %s}' % (b"[" * 900 + b"]" * 900)
    found = parse(text, replace(BOUNDS, record=10_000))
    assert isinstance(found, Unreadable)
    assert found.problem.rule == "nesting"


@pytest.mark.parametrize("levels", [17, 400])
def test_of_a_record_nested_too_deep_the_beginning_is_kept(levels: int) -> None:
    text = encoded(posting(1))[0].replace(b"null", b"0")[:-1] + b', "Unknown": ' + b"[" * levels + b"]" * levels + b"}"
    (part,) = batched(iter([text]))
    (entry,) = quarantine_entries(ORIGIN, part, batch(SEARCH, text).problems, BOUNDS)
    assert [problem.rule for problem in entry.problems] == ["nesting"]
    assert json.loads(entry.raw) == text[:1_000].decode()


@pytest.mark.parametrize("bad", [b"5", b"{", b"\xff", b'{"a": NaN', unreadable("csv", "why", b"x")])
def test_a_bad_record_never_touches_its_neighbours(bad: Encoded) -> None:
    one, three = encoded(posting(1), posting(3))
    outcome = batch(SEARCH, one, bad, three, first=70)
    assert outcome.frame[RECORD_INDEX].to_list() == [70, 72]
    assert set(outcome.problems) == {71}


def test_the_shape_is_of_all_records_that_are_json() -> None:
    outcome = batch(SEARCH, *encoded(posting(1), posting("x"), 5), b"{")
    assert outcome.field_profile[""] == {"object": 2}
    assert outcome.field_profile["MatchedObjectId"] == {"number": 1, "string": 1}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"{", "json"),
        (b"", "json"),
        (b"\xff", "json"),
        (b'{"a": 1} {"b": 2}', "json"),
        (b'"%s"' % (b"x" * 2_000), "record_size"),
    ],
)
def test_what_is_not_a_record_of_ours_is_told_by_a_rule(text: bytes, rule: str) -> None:
    found = parse(text, BOUNDS)
    assert isinstance(found, Unreadable)
    assert found.problem.rule == rule
    assert found.text == text[:1_000]


REFERENCE = "reference_table"


def column(dataset: str, name: str, *records: bytes) -> list[Any]:
    """What a column holds, of records that are all good."""
    outcome = batch(dataset, *records)
    assert outcome.problems == {}
    return outcome.frame[name].to_list()


@pytest.mark.parametrize(
    "code",
    [
        "123456789012345678901234567890",
        "123456789012345678901234567891",
        "18446744073709551616",
        "9007199254740993",
        "-9223372036854775809",
        "1e3",
        "1E3",
        "0.10",
        "0.1",
        "0.1000000000000000055",
        "1.0",
    ],
)
def test_a_number_where_a_text_belongs_keeps_its_digits(code: str) -> None:
    plain = b'{"list": "x", "code": 1}'
    number = b'{"list": "x", "code": %s}' % code.encode()
    assert column(REFERENCE, "code", plain, number, plain) == ["1", code, "1"]


def test_the_digits_of_a_number_that_is_rejected_are_kept_too() -> None:
    (part,) = batched([b'{"list": "x", "code": 123456789012345678901234567890, "label": 0.10, "valid_from": "soon"}'])
    origin = replace(ORIGIN, dataset=REFERENCE)
    (entry,) = quarantine_entries(origin, part, batch(REFERENCE, *part.records).problems, BOUNDS)
    assert '"code": 123456789012345678901234567890, "label": 0.10' in entry.raw
    assert entry.natural_key == "x\t123456789012345678901234567890"


@pytest.mark.parametrize(
    ("salary", "kept"),
    [("40371.0", "40371.00"), ("40371.10", "40371.10"), ("1e3", "1000.00"), ("12345678901.25", "12345678901.25")],
)
def test_an_amount_is_what_was_written(salary: str, kept: str) -> None:
    record = b'{"usajobsControlNumber": 1, "positionTitle": "x", "minimumSalary": %s}' % salary.encode()
    assert column(HISTORIC, "minimum_salary", record) == [Decimal(kept)]


@pytest.mark.parametrize("salary", ["0.1000000000000000055", "40371.00000000000001", "123456789012345678901234567890"])
def test_an_amount_that_a_float_would_change_is_rejected(salary: str) -> None:
    record = b'{"usajobsControlNumber": 1, "positionTitle": "x", "minimumSalary": %s}' % salary.encode()
    assert batch(HISTORIC, record).problems[0][0].rule.startswith("decimal_")


def historic(**fields: object) -> bytes:
    """A posting of the Historic API with these fields."""
    return json.dumps({"usajobsControlNumber": 1, "positionTitle": "x", **fields}).encode()


@pytest.mark.parametrize("empty", [None, [], "", " "])
@pytest.mark.parametrize("order", [("hiringPaths", "HiringPaths"), ("HiringPaths", "hiringPaths")])
def test_the_first_spelling_of_a_field_that_has_a_value_counts(empty: object, order: tuple[str, str]) -> None:
    full, other = order
    record = historic(**{full: [{"hiringPath": "public"}], other: empty})
    assert column(HISTORIC, "historic_joa_hiring_path", record) == [[{"ordinal": 1, "hiring_path": "public"}]]


def test_two_spellings_with_different_values_are_drift() -> None:
    both = historic(hiringPaths=[{"hiringPath": "public"}], HiringPaths=[{"hiringPath": "fed"}])
    same = historic(hiringPaths=[{"hiringPath": "public"}], HiringPaths=[{"hiringPath": "public"}])
    outcome = batch(HISTORIC, both, same, both)
    assert outcome.problems == {}
    assert outcome.field_profile["HiringPaths"]["=differs from hiringPaths"] == 2
    found = drift.schema_drifts(
        outcome.field_profile, {}, drift.declared_paths(registry.dataset(HISTORIC).record_model), {}
    )
    assert ("new_value", "HiringPaths", 2) in {(one.kind, one.path, one.records) for one in found}


@pytest.mark.parametrize(
    "fields",
    [
        {"positionOpenDate": "2024-01-15"},
        {"agencyLevel": "2"},
        {"minimumSalary": "1.50"},
        {"supervisoryStatus": "Y"},
        {"positionTitle": "y"},
    ],
)
@pytest.mark.parametrize("blank", [" ", "\t", "\u00a0", "\n"])
def test_white_space_round_any_value_does_not_count(fields: dict[str, str], blank: str) -> None:
    padded = {name: f"{blank}{value}{blank}" for name, value in fields.items()}
    one, other = (batch(HISTORIC, historic(**some)).frame.drop("content_hash") for some in (fields, padded))
    assert one.rows() == other.rows() != []


@pytest.mark.parametrize(
    ("dataset", "record", "key"),
    [
        (SEARCH, {"MatchedObjectId": " 007 "}, "7"),
        (SEARCH, {"MatchedObjectId": 7}, "7"),
        (SEARCH, {"MatchedObjectId": "seven"}, "seven"),
        (SEARCH, {"MatchedObjectId": 2**64}, str(2**64)),
        ("usajobs_codes", {"id": " BhBad "}, "bhbad"),
        (REFERENCE, {"list": " a ", "code": "007"}, "a\t007"),
        (REFERENCE, {"list": "a", "code": 7}, "a\t7"),
        (REFERENCE, {"list": "a", "code": " "}, None),
        (REFERENCE, {"list": "a"}, None),
        (REFERENCE, {"list": "a", "code": ["b"]}, None),
        (REFERENCE, {"list": "a\tb", "code": "c"}, None),
        (REFERENCE, [], None),
    ],
)
def test_the_key_of_a_rejected_record_is_the_stored_one(dataset: str, record: object, key: str | None) -> None:
    assert stored_key(record, dataset) == key


def test_a_record_s_key_is_stored_as_it_is_rejected() -> None:
    spelled = b'{"id": " BhBad ", "ValidValue": [{"Code": "A"}]}'
    assert column("usajobs_codes", "list_name", spelled) == [stored_key(json.loads(spelled), "usajobs_codes")]
    assert column(SEARCH, "control_number", *encoded(posting(" 007 "))) == [7]


@pytest.mark.parametrize(
    ("record", "fields", "key"),
    [
        ({"id": 5}, ("id",), "5"),
        ({"id": " 5 "}, ("id",), "5"),
        ({"list": "a", "code": 7}, ("list", "code"), "a\t7"),
        ({"list": "a"}, ("list", "code"), None),
        ({"id": None}, ("id",), None),
        ({"id": 1.5}, ("id",), None),
        ({"id": [5]}, ("id",), None),
        ({"id": "a\tb"}, ("id",), None),
        ({"id": "a\x00"}, ("id",), None),
        ({"id": "\ud800"}, ("id",), None),
        ({"id": "x" * 2_000}, ("id",), "x" * 1_000),
        ([], ("id",), None),
        ("id", ("id",), None),
        (None, ("id",), None),
    ],
)
def test_the_natural_key_of_a_rejected_record_is_told_where_it_has_one(
    record: object, fields: tuple[str, ...], key: str | None
) -> None:
    assert natural_key(record, fields) == key


def test_an_entry_says_what_when_and_where_it_was() -> None:
    records: list[Encoded] = [*encoded(posting(1), posting("2 ", PositionTitle="")), b"{not json", encoded(7)[0]]
    (part,) = batched(records)
    without_title, not_json, number = quarantine_entries(ORIGIN, part, batch(SEARCH, *records).problems, BOUNDS)
    assert [entry.record_index for entry in (without_title, not_json, number)] == [1, 2, 3]
    assert [entry.natural_key for entry in (without_title, not_json, number)] == ["2", None, None]
    assert json.loads(without_title.raw) == posting("2 ", PositionTitle="")
    assert [json.loads(entry.raw) for entry in (not_json, number)] == ["{not json", 7]
    assert {entry.observed_at for entry in (without_title, not_json)} == {ORIGIN.observed_at}
    assert without_title.problems[0].rule == "position_title_present"


def test_the_natural_key_of_an_entry_is_the_key_that_the_record_would_have_in_the_database() -> None:
    (record,) = encoded(posting(" 42 "))
    outcome = batch(SEARCH, record)
    key = natural_key(parse(record, BOUNDS), registry.dataset(SEARCH).key_fields)
    assert [str(number) for number in outcome.frame["control_number"]] == [key]
