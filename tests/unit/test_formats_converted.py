"""Avro and Arrow files: values are equal to those of the libraries that wrote them."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import pyarrow as pa
import pytest

from services.transformer import formats
from services.transformer.content import Unreadable
from services.transformer.decompress import verified
from services.transformer.input_limits import InputLimits
from shared.datasets import registry
from shared.errors import PermanentError
from tests.support.own_dataset import contract, own_dataset
from tests.unit.test_formats import BOUNDS, stream

SCHEMA = {
    "type": "record",
    "name": "thing",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "n", "type": ["null", "long"]},
        {"name": "on", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
        {"name": "key", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "raw", "type": "bytes"},
        {"name": "lines", "type": {"type": "array", "items": {"type": "map", "values": "double"}}},
    ],
}
RECORD = {
    "id": "é", "n": 2**62, "on": date(2026, 1, 2), "at": datetime(2026, 1, 2, 3, tzinfo=UTC), "price": Decimal("1.50"),
    "key": UUID(int=1), "raw": b"\xff", "lines": [{"a": 0.5}],
}  # fmt: skip
TABLE = pa.table({"id": ["a", "b"], "name": ["x", None], "day": [date(2026, 1, 2), None]})


@pytest.fixture(autouse=True)
def dataset(tmp_path: Path) -> Iterator[None]:
    properties = [{"name": "name"}, {"name": "day", "logicalType": "date"}]
    with own_dataset(tmp_path, contract("mine", properties)):
        yield


def read(body: bytes, bounds: InputLimits = BOUNDS) -> list[Any]:
    content = formats.read_upload(verified(stream(body), bounds.expanded), registry.dataset("mine"), bounds)
    return [
        record.problem.message if isinstance(record, Unreadable) else json.loads(record) for record in content.records
    ]


def avro(*records: Any, schema: Any = SCHEMA, codec: str = "deflate") -> bytes:
    body = io.BytesIO()
    fastavro.writer(body, fastavro.parse_schema(schema), records, codec)
    return body.getvalue()


def arrow(table: pa.Table, *, streamed: bool = False) -> bytes:
    body = io.BytesIO()
    writer = pa.ipc.new_stream if streamed else pa.ipc.new_file
    with writer(body, table.schema) as sink:
        sink.write_table(table)
    return body.getvalue()


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_avro_has_its_logical_types(codec: str) -> None:
    (record,) = read(avro(RECORD, codec=codec))
    assert record == {
        "id": "é", "n": 2**62, "on": "2026-01-02", "at": "2026-01-02T03:00:00+00:00", "price": "1.50",
        "key": "00000000-0000-0000-0000-000000000001", "raw": "\\xff", "lines": [{"a": 0.5}],
    }  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True])
def test_arrow_has_the_values_of_its_columns(streamed: bool) -> None:  # noqa: FBT001
    assert read(arrow(TABLE, streamed=streamed)) == [
        {"id": "a", "name": "x", "day": "2026-01-02"},
        {"id": "b", "name": None, "day": None},
    ]


def test_a_bomb_is_refused() -> None:
    schema = {"type": "record", "name": "thing", "fields": [{"name": "id", "type": "string"}]}
    body = avro({"id": "a" * (64 << 20)}, schema=schema)
    assert len(body) < 1 << 20
    bounds = InputLimits(stored=1 << 30, expanded=1 << 24, document=1 << 20, record=1 << 20, nesting=64)
    with pytest.raises(PermanentError, match="a damaged Avro file, or one too large"):
        read(body, bounds)


def test_a_long_stream_is_refused() -> None:
    bounds = InputLimits(stored=1 << 30, expanded=1 << 24, document=100, record=1 << 20, nesting=64)
    with pytest.raises(PermanentError, match="an Arrow stream of more than 100 bytes; an Arrow file may be longer"):
        read(arrow(TABLE, streamed=True), bounds)


@pytest.mark.parametrize(
    ("body", "kind"),
    [(avro(*[RECORD] * 50), "Avro"), (arrow(TABLE), "Arrow"), (arrow(TABLE, streamed=True), "Arrow stream")],
    ids=["Avro", "Arrow", "Arrow stream"],
)
def test_a_file_that_is_cut_short_is_refused(body: bytes, kind: str) -> None:
    with pytest.raises(PermanentError, match=f"a damaged {kind} file"):
        read(body[: len(body) // 2])
