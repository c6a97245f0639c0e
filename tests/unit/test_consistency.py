"""Whether the code beside a contract gives rows that fit the contract's tables."""

from pathlib import Path

import pytest
from sqlalchemy import Numeric

from shared.datasets import consistency, registry
from shared.errors import PermanentError
from shared.formats import silver
from tests.support.own_dataset import contract, own_dataset, smelt


def faults(folder: Path, logical: str, code: str = "", **options: object) -> list[str]:
    """Of a dataset with one column, `it`, and code."""
    column = {"name": "it", "logicalType": logical, **options}
    with own_dataset(folder, contract("mine", [column]), code):
        return consistency.faults("mine")


def gives(value: str) -> str:
    """Code that gives the column this value."""
    return (
        "from datetime import *\nfrom decimal import Decimal\n"
        f"def normalise(row):\n    row['it'] = {value}\n    return row\n"
    )


@pytest.mark.parametrize("dataset", registry.names())
def test_the_datasets_of_smelt_are_consistent(dataset: str) -> None:
    assert consistency.faults(dataset) == []
    assert consistency._sample_row(dataset) is not None


@pytest.mark.parametrize(
    ("logical", "value", "words"),
    [
        ("date", "'x'", "DATE, and normalise gives str"),
        ("string", "date(2000, 1, 1)", "TEXT, and normalise gives date"),
        ("timestamp", "date(2000, 1, 1)", "TIMESTAMP WITHOUT TIME ZONE, and normalise gives date"),
        ("date", "datetime(2000, 1, 1)", "DATE, and normalise gives datetime"),
        ("integer", "True", "BIGINT, and normalise gives bool"),
        ("boolean", "'x'", "BOOLEAN, and normalise gives str"),
        ("integer", "1.5", "BIGINT, and normalise gives float"),
        ("number", "Decimal(1)", "DOUBLE PRECISION, and normalise gives Decimal"),
        ("string", "['x']", "TEXT, and normalise gives list of str"),
        ("object", "{}", "JSONB, and normalise gives dict"),
    ],
)
def test_a_value_of_another_type_is_named_with_both_types(tmp_path: Path, logical: str, value: str, words: str) -> None:
    assert faults(tmp_path, logical, gives(value)) == [f"dataset mine: mine.it is {words}"]


@pytest.mark.parametrize(
    ("logical", "physical"),
    [
        ("string", "text"),
        ("string", "uuid"),
        ("string", "bytea"),
        ("integer", "bigint"),
        ("integer", "integer"),
        ("integer", "smallint"),
        ("number", "double precision"),
        ("number", "numeric(14,2)"),
        ("boolean", "boolean"),
        ("date", "date"),
        ("timestamp", "timestamp"),
        ("timestamp", "timestamptz"),
        ("time", "time"),
        ("object", "jsonb"),
    ],
)
def test_the_values_of_every_type_fit_its_column(tmp_path: Path, logical: str, physical: str) -> None:
    assert faults(tmp_path, logical, physicalType=physical) == []


def test_a_computed_column_that_the_code_leaves_out_is_named(tmp_path: Path) -> None:
    code = "def normalise(row):\n    return row\n"
    assert faults(tmp_path, "date", code, **smelt(computed=True)) == [
        "dataset mine: mine.it is DATE, and normalise gives no value of it"
    ]


def test_types_of_keys_are_checked(tmp_path: Path) -> None:
    assert faults(tmp_path, "timestamp", physicalType="timestamptz", primaryKey=True) == [
        "dataset mine: mine.it is TIMESTAMP WITH TIME ZONE, which cannot be part of a natural key"
    ]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("its > 1", "rule r names its, which is no column"),
        ("it >", "rule r: "),
        ("array_length(child) > 0", "names child"),
    ],
)
def test_rules_that_cannot_be_evaluated_are_named(tmp_path: Path, expression: str, words: str) -> None:
    content = contract("mine", [{"name": "it", "logicalType": "integer"}])
    rule = {"name": "r", "type": "custom", "engine": "smelt", "implementation": expression}
    content["schema"][0]["quality"] = [rule]
    with own_dataset(tmp_path, content):
        (line,) = consistency.faults("mine")
    assert line.startswith("dataset mine: mine: ")
    assert words in line


def test_code_that_wants_more_of_its_values_is_left_alone(tmp_path: Path) -> None:
    code = "def normalise(row):\n    return row | {'it': {'a': 1}[row['id']]}\n"
    assert faults(tmp_path, "date", code) == []


def test_all_faults_of_all_datasets_are_said_at_once_before_a_worker_starts(tmp_path: Path) -> None:
    (tmp_path / "other.odcs.yaml").write_text("kind: DataContract\n")
    with own_dataset(tmp_path, contract("mine", [{"name": "it"}]), gives("1")), pytest.raises(PermanentError) as caught:
        consistency.check_all()
    assert str(caught.value).splitlines() == [
        "dataset mine: mine.it is TEXT, and normalise gives int",
        f"dataset other: {tmp_path / 'other.odcs.yaml'}: no schema: a contract has at least one, which is the table",
    ]


def test_every_type_of_a_silver_frame_has_its_type_in_python() -> None:
    assert {*consistency.TYPES} == {*silver.DTYPES, Numeric}
