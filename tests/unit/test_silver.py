"""The silver object."""

from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO

import polars as pl
import pytest
from sqlalchemy import JSON, Table

from shared import silver
from shared.database.silver_tables import PROVENANCE
from shared.datasets import contract
from shared.errors import PermanentError
from shared.objects import ObjectId
from shared.silver import CONTENT_HASH, RECORD_INDEX, Counts, Header

DATASETS = [name for name in contract.names() if contract.tables(name)]
HEADER = Header(
    dataset="usajobs_search",
    transform_version=3,
    source=ObjectId("lake", "bronze/things/uploads/ünï.json", version_id="v", etag="e", sequencer="01"),
    observed_at=datetime(2025, 9, 3, 12, 0, 0, 123456, tzinfo=UTC),
    run_id="20250903T120000Z-0badcafe",
    part=1,
    page=2,
    counts=Counts(read=3, valid=2, quarantined=1),
)
ROWS = [
    {
        RECORD_INDEX: 0,
        CONTENT_HASH: b"\x00\xff",
        "control_number": 2**40,
        "position_title": "é\n😀",
        "apply_uri": ["a", "b"],
        "minimum_range": Decimal("19.51"),
        "position_start_date": datetime(2025, 9, 3),  # noqa: DTZ001 - the source gives no zone
        "job_location": [{"ordinal": 1, "city_name": "one"}, {"ordinal": 2, "city_name": None}],
    },
    {RECORD_INDEX: 2, CONTENT_HASH: b"x", "control_number": 1, "apply_uri": [], "job_location": []},
]
FRAME = pl.DataFrame(ROWS, schema=silver.schema(contract.tables("usajobs_search")))


def columns_of(table: Table) -> set[str]:
    """The names of a table's columns."""
    return {column.name for column in table.columns}


def test_rows_and_header_come_back_as_they_were() -> None:
    header, frame = silver.read(silver.write(FRAME, HEADER))
    assert header == HEADER
    assert frame.schema == FRAME.schema
    assert frame.equals(FRAME)


def test_a_frame_with_other_columns_is_refused() -> None:
    for frame in (FRAME.drop("position_title"), FRAME.with_columns(extra=1), FRAME.cast({"control_number": pl.String})):
        with pytest.raises(PermanentError, match="its columns are not those of usajobs_search"):
            silver.read(silver.write(frame, HEADER))


@pytest.mark.parametrize("dataset", DATASETS)
def test_an_empty_frame_keeps_its_columns_and_its_header(dataset: str) -> None:
    empty = pl.DataFrame(schema=silver.schema(contract.tables(dataset)))
    header, frame = silver.read(silver.write(empty, HEADER))
    assert (header, len(frame)) == (HEADER, 0)
    assert frame.schema == empty.schema


def test_an_upload_s_header_has_no_run() -> None:
    upload = HEADER.model_copy(update={"run_id": None, "part": None, "page": None})
    assert silver.read(silver.write(FRAME, upload))[0] == upload


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_schema_has_each_column_of_each_table_and_no_other(dataset: str) -> None:
    tables = contract.tables(dataset)
    children = {child.name for child in tables.CHILDREN}
    expected = columns_of(tables.ROOT) - {PROVENANCE} | {RECORD_INDEX, CONTENT_HASH} | children
    assert set(silver.schema(tables)) == expected
    keys = {column.name for column in tables.ROOT.primary_key.columns}
    assert all(set(silver.child_schema(child)) == columns_of(child) - keys for child in tables.CHILDREN)


def test_child_rows_carry_the_keys_of_their_records_and_skip_records_without_any() -> None:
    rows = silver.child_rows(FRAME, "job_location", [RECORD_INDEX])
    assert rows.select(RECORD_INDEX, "ordinal", "city_name").rows() == [(0, 1, "one"), (0, 2, None)]


def test_a_column_type_that_no_dataset_has_used_yet_is_an_error() -> None:
    with pytest.raises(KeyError):
        silver.dtype(JSON())


def _parquet(metadata: dict[str, str]) -> bytes:
    buffer = BytesIO()
    FRAME.write_parquet(buffer, metadata=metadata)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"PAR1", id="the first bytes alone"),
        pytest.param(b'{"a": 1}', id="JSON"),
        pytest.param(silver.write(FRAME, HEADER)[:-1], id="cut short by a byte"),
        pytest.param(silver.write(FRAME, HEADER)[:200], id="cut short"),
        pytest.param(silver.write(FRAME, HEADER)[200:], id="without its beginning"),
        pytest.param(_parquet({}), id="Parquet of somebody else"),
        pytest.param(_parquet({silver.HEADER: "{}"}), id="header without fields"),
        pytest.param(_parquet({silver.HEADER: "hello"}), id="header that is not JSON"),
        pytest.param(_parquet({silver.HEADER: HEADER.model_dump_json().replace(":1,", ":2,", 1)}), id="of the future"),
    ],
)
def test_what_is_not_a_silver_object_is_refused(body: bytes) -> None:
    with pytest.raises(PermanentError, match="not a silver object"):
        silver.read(body)
