"""Contracts: what is built from one, and what is said of one that is wrong."""

import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from services.transformer.input_limits import InputLimits
from services.transformer.transform import TransformResult, transform
from shared.datasets import consistency, registry
from shared.errors import PermanentError
from tests.support.own_dataset import ID, contract, own_dataset, smelt

BOUNDS = InputLimits(stored=2**20, expanded=2**20, document=2**20, record=2**20, nesting=50)


def transformed(folder: Path, content: Any, *records: str, code: str = "") -> TransformResult:
    """What becomes of records, as JSON."""
    with own_dataset(folder, content, code):
        return transform("mine", [record.encode() for record in records], 0, BOUNDS)


def value(folder: Path, column: dict[str, Any], written: str) -> Any:
    """What a field, `it`, written so in JSON, is in the frame; the rules it breaks where it is rejected."""
    result = transformed(folder, contract("mine", [{"name": "it", **column}]), f'{{"id": "1", "it": {written}}}')
    if result.problems:
        return [problem.rule for problem in result.problems[0]]
    return result.frame.get_column("it").to_list()[0]


@pytest.mark.parametrize(
    ("column", "written", "expected"),
    [
        ({"logicalType": "string"}, '" x "', "x"),
        ({"logicalType": "string"}, "5", "5"),
        ({}, '"x"', "x"),
        ({"logicalType": "integer"}, '"7"', 7),
        ({"logicalType": "integer"}, str(2**63 - 1), 2**63 - 1),
        ({"logicalType": "integer"}, str(2**63), ["less_than"]),
        ({"logicalType": "integer", "physicalType": "smallint"}, "40000", ["less_than"]),
        ({"logicalType": "number"}, '"1.5"', 1.5),
        ({"logicalType": "boolean"}, '"Y"', True),
        ({"logicalType": "date"}, '"2026-01-31"', date(2026, 1, 31)),
        ({"logicalType": "date", "logicalTypeOptions": {"format": "MM/dd/yyyy"}}, '"01/31/2026"', date(2026, 1, 31)),
        ({"logicalType": "date", "logicalTypeOptions": {"format": "dd-MMM-yy"}}, '"31-Jan-26"', date(2026, 1, 31)),
        ({"logicalType": "date", "logicalTypeOptions": {"format": "dd/MM/yyyy"}}, '"13/13/2026"', ["datetime_format"]),
        ({"logicalType": "timestamp"}, '"2026-01-31T12:00:00+02:00"', datetime(2026, 1, 31, 10)),
        (
            {"logicalType": "timestamp", "logicalTypeOptions": {"format": "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"}},
            '"2026-01-31T12:00:00.250+02:00"',
            datetime(2026, 1, 31, 10, 0, 0, 250_000),
        ),
        ({"logicalType": "timestamp", "logicalTypeOptions": {"format": "epoch-milliseconds"}}, "1500", datetime(1970, 1, 1, 0, 0, 1, 500_000)),
        ({"logicalType": "timestamp", "logicalTypeOptions": {"format": "epoch-seconds"}}, '"86400"', datetime(1970, 1, 2)),
        ({"logicalType": "timestamp", "logicalTypeOptions": {"format": "epoch-seconds"}}, "true", ["datetime_format"]),
        ({"logicalType": "object"}, '{"a": [1, "é"]}', '{"a": [1, "é"]}'),
        ({"logicalType": "object"}, "null", None),
        ({"logicalType": "object"}, '{"a": "\\u0000"}', ["json_type"]),
        ({"logicalType": "array", "items": {"logicalType": "object"}}, '[{"a": 1}]', '[{"a": 1}]'),
        ({"logicalType": "array", "items": {"logicalType": "integer"}}, "[1, 2]", [1, 2]),
        ({"logicalType": "array", "items": {"logicalType": "string"}}, '["a", " "]', ["a"]),
        ({"logicalType": "string", "transformLogic": "lower"}, '" ABC"', "abc"),
        ({"logicalType": "string", "logicalTypeOptions": {"format": "uuid"}}, '"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"', "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ],
)  # fmt: skip
def test_a_value_becomes_one_of_its_columns_type(
    tmp_path: Path, column: dict[str, Any], written: str, expected: Any
) -> None:
    assert value(tmp_path, column, written) == expected


@pytest.mark.parametrize(
    ("column", "good", "bad", "rule"),
    [
        ({"logicalType": "integer", "logicalTypeOptions": {"minimum": 1, "maximum": 9}}, "9", "10", "it_range"),
        ({"logicalType": "integer", "logicalTypeOptions": {"exclusiveMinimum": 1}}, "2", "1", "it_range"),
        ({"logicalType": "integer", "logicalTypeOptions": {"multipleOf": 5}}, "10", "11", "it_multiple"),
        ({"logicalType": "date", "logicalTypeOptions": {"minimum": "2000-01-01"}}, '"2000-01-01"', '"1999-12-31"', "it_range"),
        ({"logicalType": "timestamp", "logicalTypeOptions": {"maximum": "2000-01-01T00:00:00"}}, '"2000-01-01T00:00:00"', '"2000-01-01T00:00:01"', "it_range"),
        ({"logicalType": "string", "logicalTypeOptions": {"maxLength": 3}}, '"abc"', '"abcd"', "it_length"),
        ({"logicalType": "string", "logicalTypeOptions": {"pattern": "^[A-Z]+$"}}, '"AB"', '"Ab"', "it_pattern"),
        ({"logicalType": "string", "logicalTypeOptions": {"pattern": "B"}}, '"ABC"', '"AC"', "it_pattern"),
        ({"logicalType": "time", "logicalTypeOptions": {"maximum": "12:00:00"}}, '"12:00:00"', '"12:00:01"', "it_range"),
        ({"logicalType": "string", "required": True}, '"x"', '" "', "it_present"),
        ({"logicalType": "array", "items": {"logicalType": "integer"}, "logicalTypeOptions": {"maxItems": 1}}, "[1]", "[1, 2]", "it_items"),
        ({"logicalType": "array", "items": {"logicalType": "integer"}, "logicalTypeOptions": {"uniqueItems": True}}, "[1, 2]", "[1, 1]", "it_unique_items"),
        ({"logicalType": "string", "quality": [{"metric": "invalidValues", "arguments": {"validValues": ["a"]}, "mustBe": 0}]}, '"a"', '"b"', "it_known"),
    ],
)  # fmt: skip
def test_a_rule_of_a_column_rejects_what_breaks_it(
    tmp_path: Path, column: dict[str, Any], good: str, bad: str, rule: str
) -> None:
    assert not isinstance(value(tmp_path, column, good), list) or good.startswith("[")
    assert value(tmp_path, column, bad) == [rule]


@pytest.mark.parametrize(
    ("severity", "problems", "warnings"), [("error", [["in_order"]], []), ("warning", [], ["in_order"])]
)
def test_a_rule_of_a_table_is_an_expression_in_sql(
    tmp_path: Path, severity: str, problems: list[list[str]], warnings: list[str]
) -> None:
    content = contract("mine", [{"name": "low", "logicalType": "integer"}, {"name": "high", "logicalType": "integer"}])
    rule = {
        "name": "in_order",
        "type": "custom",
        "engine": "smelt",
        "implementation": "low <= high",
        "severity": severity,
    }
    content["schema"][0]["quality"] = [rule]
    result = transformed(tmp_path, content, '{"id": "1", "low": 2, "high": 1}', '{"id": "2", "low": 2}')
    assert [[problem.rule for problem in found] for found in result.problems.values()] == problems
    assert [warning.rule for warning in result.warnings] == warnings


def test_objects_are_flattened_and_lists_of_objects_are_child_tables(tmp_path: Path) -> None:
    content = contract(
        "mine",
        [{"name": "latitude", "logicalType": "number", **smelt(path="place.lat")}, {"name": "Full Name", "physicalName": "full_name"}],
        {"name": "reading", "properties": [{"name": "at", "logicalType": "date"}, {"name": "unit", **smelt(path="sensor.unit")}], **smelt(path="data.readings[]")},
        {"name": "owner", "properties": [{"name": "name"}], **smelt(path="owner")},
    )  # fmt: skip
    record = '{"id": "1", "Full Name": "A", "place": {"lat": 1.5}, "owner": {"name": "O"}, "data": {"readings": [{"at": "2026-01-01", "sensor": {"unit": "K"}}, {}]}}'
    rows = transformed(tmp_path, content, record, '{"id": "2", "place": null}').frame.drop("content_hash").to_dicts()
    nothing = {"record_index": 0, "hash_only": False, "raw": None}
    assert rows == [
        nothing | {"id": "1", "latitude": 1.5, "full_name": "A", "owner": [{"name": "O"}], "reading": [
            {"ordinal": 1, "at": date(2026, 1, 1), "unit": "K"}, {"ordinal": 2, "at": None, "unit": None}]},
        nothing | {"record_index": 1, "id": "2", "latitude": None, "full_name": None, "owner": [{"name": None}], "reading": []},
    ]  # fmt: skip


def test_code_beside_the_contract_changes_rows(tmp_path: Path) -> None:
    content = contract(
        "mine",
        [{"name": "twice", "logicalType": "integer", **smelt(computed=True)}, {"name": "n", "logicalType": "integer"}],
    )
    code = "def normalise(row):\n    return row | {'twice': 2 * row['n']}\n"
    assert transformed(tmp_path, content, '{"id": "1", "n": 4}', code=code).frame.get_column("twice").to_list() == [8]


@pytest.mark.parametrize("name", ["json", "copy", "schema", "validate", "model_dump", "class", "def"])
def test_columns_may_be_called_as_methods_and_keywords_are(tmp_path: Path, name: str) -> None:
    result = transformed(tmp_path, contract("mine", [{"name": name}]), f'{{"id": "1", "{name}": "x"}}')
    assert result.frame.get_column(name).to_list() == ["x"]


def test_names_are_spelled_as_the_source_spells_them(tmp_path: Path) -> None:
    content = contract(
        "mine",
        [{**ID, "name": "ID", "physicalName": "id"}, {"name": "first_name"}],
        customProperties=smelt(names="camelCase")["customProperties"],
    )
    assert transformed(tmp_path, content, '{"ID": "1", "firstName": "x"}').frame.get_column("first_name").to_list() == [
        "x"
    ]


def test_a_timestamp_with_a_time_zone_has_a_column_with_one(tmp_path: Path) -> None:
    column = {"name": "it", "logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}}
    with own_dataset(tmp_path, contract("mine", [column])):
        assert getattr(registry.dataset("mine").tables.root.c.it.type, "timezone", False)


def wrong(**changes: Any) -> dict[str, Any]:
    return contract("mine") | changes


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: [", "not YAML"),
        ("[]", "Input should be a valid dictionary"),
        (wrong(schema=[]), "no schema"),
        (wrong(version="next"), "begins with a whole number"),
        (wrong(versoin="1"), "versoin: Extra inputs are not permitted"),
        (contract("mine", [{"name": "a", "requird": True}]), r"schema.0.properties.1.requird: Extra inputs"),
        (contract("mine", [{"name": "a", **smelt(pth="x")}]), "schema mine, property a: custom property smelt: pth: Extra inputs"),
        (contract("mine", [{"name": "a b"}]), "property 'a b': a physicalName of small letters"),
        (contract("mine", [{"name": "raw"}]), "property 'raw': a physicalName"),
        (contract("mine", [{"name": "a"}, {"name": "a"}]), "more than one property for column a"),
        (contract("mine", [{"name": "a", "logicalType": "text"}]), "logicalType 'text' is none of string"),
        (contract("mine", [{"name": "a", "physicalType": "varchar(20)"}]), "a length is logicalTypeOptions.maxLength"),
        (contract("mine", [{"name": "a", "logicalType": "integer", "physicalType": "text"}]), "physicalType 'text' of a integer"),
        (contract("mine", [{"name": "a", "logicalType": "number", "physicalType": "numeric"}]), "numeric has a precision"),
        (contract("mine", [{"name": "a", "transformLogic": "md5"}]), "none of lower, upper"),
        (contract("mine", [{"name": "a", "logicalType": "date", "logicalTypeOptions": {"format": "QQ"}}]), "QQ is none of"),
        (contract("mine", [{**ID, **smelt(path="a.id")}]), "fields of the primary key are at the top of a record: id"),
        (contract("mine", [], {"name": "child", "properties": [ID], **smelt(path="x[]")}), "the primary key of a child table"),
        (contract("mine", [], **smelt(disposition="append")), "schema mine: appended records have no key"),
        (contract("mine", [{"name": "id", "primaryKey": False}]) | {"schema": [{"name": "mine", "properties": [{"name": "a"}]}]}, "records need a primaryKey, or disposition append"),
        (contract("mine", [{"name": "valid_to"}], **smelt(disposition="history")), "valid_from and valid_to are columns of the history"),
        (contract("mine", **smelt(disposition="upsert")), "disposition: Input should be 'merge', 'append', 'snapshot' or 'history'"),
        (contract("mine", [{"name": "a", "logicalTypeOptions": {"minimun": 1}}]), "logicalTypeOptions minimun of a string: not supported"),
        (contract("mine", [{"name": "a", "logicalType": "object", "logicalTypeOptions": {"required": ["b"]}}]), "logicalTypeOptions required of a object: not supported"),
        (contract("mine", [{"name": "a", "logicalType": "timestamp", "logicalTypeOptions": {"defaultTimezone": "Europe/Berlin"}}]), "defaultTimezone: times without a zone are taken as UTC"),
        (contract("mine", [{"name": "a", "logicalTypeOptions": {"pattern": "("}}]), "mine.a: pattern: .*unclosed group"),
        (contract("mine", [{"name": "a", "logicalType": "date", "logicalTypeOptions": {"minimum": "soon"}}]), "mine.a: minimum 'soon' is no date"),
        (contract("mine", [{"name": "a", "logicalType": "integer", "logicalTypeOptions": {"minimum": "1"}}]), "mine.a: minimum '1' is no bigint"),
        (contract("mine", [{"name": "a", "logicalType": "timestamp", "logicalTypeOptions": {"timezone": True, "minimum": "2020-01-01T00:00:00"}}]), "mine.a: minimum .* is no timestamptz"),
        ({**contract("mine"), "schema": [{"name": "mine", "properties": [ID], "quality": [{"metric": "duplicateValues", "mustBe": 0}]}]}, "duplicateValues needs arguments.properties"),
        (wrong(slaProperties=[{"property": "freshness", "value": 1, "unit": "fortnight"}]), "a number and a unit"),
    ],
)  # fmt: skip
def test_a_contract_that_is_wrong_is_refused_with_its_file_and_place(tmp_path: Path, content: Any, words: str) -> None:
    with own_dataset(tmp_path, content), pytest.raises(PermanentError, match=words) as caught:
        consistency.check("mine")
    assert str(tmp_path / "mine.odcs.yaml") in str(caught.value) or "dataset mine: mine." in str(caught.value)


def test_a_check_of_datasets_starts_no_threads_of_polars(tmp_path: Path) -> None:
    """Workers fork after it, and a thread pool does not survive that."""
    limited = [
        {"name": "a", "logicalTypeOptions": {"pattern": "^x"}},
        {"name": "b", "logicalType": "timestamp", "logicalTypeOptions": {"timezone": True, "minimum": "2020-01-01T00:00:00Z"}},
        {"name": "c", "logicalType": "date", "logicalTypeOptions": {"maximum": "2030-01-01"}},
    ]  # fmt: skip
    code = """if True:
        from shared.datasets import consistency
        from shared.engine.worker import _check_no_polars_threads
        consistency.check_all()
        _check_no_polars_threads()"""
    with own_dataset(tmp_path, contract("mine", limited)):
        subprocess.run([sys.executable, "-c", code], check=True)


def test_two_datasets_of_one_name_are_refused(tmp_path: Path) -> None:
    with own_dataset(tmp_path, contract("mine")) as path:
        path.with_name("usajobs_codes.odcs.yaml").write_text(path.read_text())
        with pytest.raises(PermanentError, match="two datasets are called 'usajobs_codes'"):
            registry._datasets.__wrapped__()
        path.with_name("usajobs_codes.odcs.yaml").unlink()


def test_a_folder_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with own_dataset(tmp_path, contract("mine")):
        monkeypatch.setenv(registry.FOLDERS, str(tmp_path / "away"))
        with pytest.raises(PermanentError, match="which is no folder"):
            registry._datasets.__wrapped__()


def test_a_contract_may_lie_in_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with own_dataset(tmp_path, contract("mine")) as path:
        (tmp_path / "other" / "theirs.odcs.yaml").write_text(path.read_text())
        assert {"mine", "theirs"} < {*registry._datasets.__wrapped__()}


def test_two_datasets_may_not_have_one_table(tmp_path: Path) -> None:
    assert registry.dataset("usajobs_codes").tables
    with own_dataset(
        tmp_path, contract("mine", [], {"name": "code", "properties": [{"name": "a"}], **smelt(path="a[]")})
    ):
        assert consistency.faults("mine")[0].endswith("schema code: another dataset has a table of this name")
