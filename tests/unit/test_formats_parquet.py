"""Parquet's types as other writers write them: values arrive as what they are, or say why not."""

import io
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.transformer.content import Encoded, Unreadable
from shared.datasets.contract.field_types import Text
from shared.datasets.contract.raw_model import RawModel
from shared.datasets.dataset import Dataset
from shared.errors import PermanentError
from tests.unit.test_formats import read

UUIDS = [UUID(int=n) for n in (1, 2**128 - 1)]


class Thing(RawModel):
    """What the files hold."""

    id: Text
    value: Any = None


PARTS = {"record_model": Thing, "records_path": (), "count_path": (), "total_path": (), "content_key": ("id",)}
THINGS = cast("Dataset", SimpleNamespace(**PARTS, rescues=False))
RESCUING = cast("Dataset", SimpleNamespace(**PARTS, rescues=True))


def parquet(values: pa.Array, name: str = "value", **options: Any) -> bytes:
    """A file with these values, and an id each."""
    buffer = io.BytesIO()
    ids = [str(n) for n in range(len(values))]
    pq.write_table(pa.table({"id": ids, name: values}), buffer, **options)
    return buffer.getvalue()


def records(body: bytes) -> list[Encoded]:
    """As they come."""
    return list(read(body, THINGS).records)


def values(column: pa.Array) -> list[Any]:
    """What becomes of them; why not in the place of one that is none."""
    return [
        record.problem.message if isinstance(record, Unreadable) else json.loads(record, parse_float=str)["value"]
        for record in records(parquet(column))
    ]


@pytest.mark.usefixtures("parquet_checked_in_process")
@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([one.bytes for one in UUIDS], pa.uuid()), [str(one) for one in UUIDS]),
        (pa.array([0.1, 16_777_216.0, None], pa.float32()), ["0.1", "16777216.0", None]),
        (pa.array([[0.1], []], pa.list_(pa.float32())), [["0.1"], []]),
        (pa.array([Decimal("1.10"), Decimal("-0.01")], pa.decimal128(38, 2)), ["1.10", "-0.01"]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.array([2**64 - 1], pa.uint64()), [2**64 - 1]),
        (pa.array([date(2024, 1, 2)]), ["2024-01-02"]),
        (pa.array([time(1, 2, 3, 4)]), ["01:02:03.000004"]),
        (pa.array([datetime(2024, 1, 2, 3)]), ["2024-01-02T03:00:00"]),  # noqa: DTZ001 - without a zone
        (pa.array([datetime(2024, 1, 2, 3, tzinfo=UTC)]), ["2024-01-02T03:00:00+00:00"]),
        (pa.array([0], pa.timestamp("us", "+05:30")), ["1970-01-01T05:30:00+05:30"]),
        (pa.array([0], pa.timestamp("ns", "Europe/Berlin")), ["1970-01-01T01:00:00+01:00"]),
        (pa.array([timedelta(seconds=5)]), ["0:00:05"]),
        (pa.array([b"text"]), ["text"]),
        (pa.array([{"a": [{"day": date(2024, 1, 2)}]}]), [{"a": [{"day": "2024-01-02"}]}]),
        (pa.nulls(2), [None, None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_a_value_is_what_its_logical_type_says(column: pa.Array, expected: list[Any]) -> None:
    assert values(column) == expected


@pytest.mark.usefixtures("parquet_checked_in_process")
@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pa.array([0, 13_652_059, -1_000_000], pa.date32()), "year 39348 is out of range"),
        (pa.array([0, 400_000_000_000_000], pa.timestamp("ms")), "400000000000000 is beyond the calendar"),
        (pa.array([b"a", b"\xff"]), "can't decode byte 0xff"),
    ],
    ids=["a date", "a moment", "bytes that are no text"],
)
def test_a_value_that_nothing_of_ours_can_hold_costs_its_own_record(column: pa.Array, reason: str) -> None:
    good, bad, *_ = records(parquet(column))
    assert isinstance(good, bytes)
    assert isinstance(bad, Unreadable)
    assert bad.problem.message.startswith("row 2: ")
    assert reason in bad.problem.message
    assert (bad.problem.rule, bad.problem.field) == ("parquet", "value")
    assert json.loads(bad.text)["id"] == "1"


@pytest.mark.usefixtures("parquet_checked_in_process")
@pytest.mark.parametrize(
    "column",
    [
        pa.array([13_652_059], pa.date32()),
        pa.array([Decimal(10) ** 50], pa.decimal256(60, 2)),
        pa.array([0], pa.timestamp("us", "nowhere")),
    ],
    ids=["a date", "a decimal", "a zone"],
)
def test_a_column_that_we_do_not_keep_is_not_read_and_is_known_by_its_name(column: pa.Array) -> None:
    (record,) = records(parquet(column, "other"))
    assert isinstance(record, bytes)
    assert json.loads(record) == {"id": "0", "other": None}


@pytest.mark.usefixtures("parquet_checked_in_process")
def test_a_dataset_that_keeps_undeclared_fields_reads_all_columns() -> None:
    body = parquet(pa.array([date(2026, 1, 2), None]), "day")
    assert [json.loads(cast("bytes", record)) for record in read(body, RESCUING).records] == [
        {"id": "0", "day": "2026-01-02"},
        {"id": "1", "day": None},
    ]


def test_a_column_that_cannot_be_read_is_named() -> None:
    with pytest.raises(PermanentError, match="rows 1 to 1 of column value: precision must be between 1 and 38"):
        records(parquet(pa.array([Decimal(10) ** 50], pa.decimal256(60, 2))))


def test_a_file_without_the_columns_of_the_key_is_refused_with_those_that_it_has() -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"name": ["x"], "ID": ["1"]}), buffer)
    with pytest.raises(PermanentError, match="Parquet that lacks the columns id; it has name, ID"):
        records(buffer.getvalue())


def test_a_file_that_is_damaged_in_its_middle_is_refused_before_any_of_its_records_is_given() -> None:
    body = bytearray(parquet(pa.array([f"{n:x}" * 9 for n in range(20_000)]), row_group_size=1_000, compression="zstd"))
    middle = len(body) // 2
    body[middle : middle + 3_000] = bytes(3_000)
    with pytest.raises(PermanentError, match=r"^damaged Parquet: rows \d+ to \d+ of column "):
        read(bytes(body), THINGS)
