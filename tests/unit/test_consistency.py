"""Whether the parts of a dataset fit together."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Numeric

from shared.datasets import consistency, contract
from shared.errors import PermanentError
from shared.formats import silver
from tests.support.own_dataset import files, own_dataset

Faults = Callable[..., list[str]]
KEY = 'Column("id", Text, primary_key=True)'


@pytest.fixture
def faults(tmp_path: Path) -> "Faults":
    def found(record: str, columns: str, **modules: str) -> list[str]:
        with own_dataset(tmp_path, "mine", files("mine", f"id: Text\n    {record}", f"{KEY}, {columns}", **modules)):
            return consistency.faults("mine")

    return found


@pytest.mark.parametrize("dataset", contract.names())
def test_the_datasets_of_smelt_are_consistent(dataset: str) -> None:
    assert consistency.faults(dataset) == []
    assert consistency._sample_row(dataset) is not None


@pytest.mark.parametrize(
    ("field", "column", "words"),
    [
        ("Text", "Date", "DATE, and the model gives str"),
        ("Day", "Text", "TEXT, and the model gives date"),
        ("Day", "DateTime", "TIMESTAMP WITHOUT TIME ZONE, and the model gives date"),
        ("Moment", "Date", "DATE, and the model gives datetime"),
        ("Flag", "Integer", "INTEGER, and the model gives bool"),
        ("Text", "Boolean", "BOOLEAN, and the model gives str"),
        ("Coordinate", "BigInteger", "BIGINT, and the model gives float"),
        ("Coordinate", "Numeric(14, 2)", "NUMERIC(14, 2), and the model gives float"),
        ("Money", "Double", "DOUBLE PRECISION, and the model gives Decimal"),
        ("Whole", "Text", "TEXT, and the model gives int"),
        ("Texts", "Text", "TEXT, and the model gives list of str"),
        ("Text", "ARRAY(Text)", "TEXT[], and the model gives str"),
        ("list[int]", "ARRAY(Text)", "TEXT[], and the model gives list of int"),
        ("Text", "JSON", "JSON, for which silver frames have no type"),
    ],
)
def test_a_column_of_another_type_is_named_with_both_types(faults: Faults, field: str, column: str, words: str) -> None:
    assert faults(f"it: {field} = None", f'Column("it", {column})') == [f"dataset mine: mine.it is {words}"]


@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("Text", "Text"),
        ("Day", "Date"),
        ("Moment", "DateTime"),
        ("Flag", "Boolean"),
        ("Whole", "Integer"),
        ("Whole", "BigInteger"),
        ("Whole", "Double"),
        ("Whole", "Numeric(14, 2)"),
        ("Money", "Numeric(14, 2)"),
        ("Coordinate", "Double"),
        ("Texts", "ARRAY(Text)"),
        ("bytes", "LargeBinary"),
        ("UuidText", "Uuid(as_uuid=False)"),
        ("Any", "Date"),  # what it will be, nobody knows
    ],
)
def test_types_that_fit(faults: Faults, field: str, column: str) -> None:
    assert faults(f"it: {field} = None", f'Column("it", {column})') == []


def test_a_column_that_normalise_leaves_out_is_named(faults: Faults) -> None:
    assert faults("it: Text = None", 'Column("other", Date)') == [
        "dataset mine: mine.other is DATE, and normalise gives no value of it"
    ]


def test_types_of_keys_are_checked(faults: Faults) -> None:
    several = 'Column("at", DateTime(timezone=True), primary_key=True)'
    assert faults("at: Moment", several) == [
        "dataset mine: the natural key has 1 fields, the primary key of mine 2 columns",
        "dataset mine: mine.at is TIMESTAMP WITH TIME ZONE, which cannot be part of a natural key",
    ]


def test_a_normaliser_that_wants_more_of_its_values_is_left_alone(faults: Faults) -> None:
    normalise = 'VERSION = 1\n\n\ndef normalise(record):\n    return {"id": {"a": 1}[record.id], "it": record.it}\n'
    assert faults("it: Text = None", 'Column("it", Date)', normalise=normalise) == []


def test_all_faults_of_all_datasets_are_said_at_once_before_a_worker_starts(tmp_path: Path) -> None:
    wrong = files("one", "id: Text\n    a: Text\n    b: Day", f'{KEY}, Column("a", Date), Column("b", Text)')
    other = files("two", "id: Day", KEY)
    with ExitStack() as both:
        both.enter_context(own_dataset(tmp_path, "one", wrong))
        both.enter_context(own_dataset(tmp_path, "two", other))
        with pytest.raises(PermanentError) as caught:
            consistency.check_all()
    assert str(caught.value).splitlines() == [
        "dataset one: one.a is DATE, and the model gives str",
        "dataset one: one.b is TEXT, and the model gives date",
        "dataset two: two.id is TEXT, and the model gives date",
    ]


def test_every_type_of_a_silver_frame_has_its_type_in_python() -> None:
    assert {*consistency.TYPES} == {*silver.DTYPES, Numeric}
