"""The silver object."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from sqlalchemy import JSON, Table

from shared.datasets import registry
from shared.datasets.silver_tables import PROVENANCE
from shared.errors import PermanentError
from shared.formats import silver
from shared.formats.silver import (
    CONTENT_HASH,
    HASH_ONLY,
    RAW,
    RECORD_INDEX,
    Counts,
    HashOnlyRow,
    Replayed,
    RuleWarning,
    SilverHeader,
)
from shared.storage.object_id import ObjectId

DATASETS = [name for name in registry.names() if registry.dataset(name).tables]
HEADER = SilverHeader(
    dataset="usajobs_search",
    transform_version=3,
    source=ObjectId("lake", "uploads/things/ünï.json", version_id="v", etag="e", sequencer="01"),
    observed_at=datetime(2025, 9, 3, 12, 0, 0, 123456, tzinfo=UTC),
    run_id="20250903T120000Z-0badcafe",
    part=1,
    page=2,
    part_pages=4,
    batch=3,
    last=False,
    counts=Counts(read=3, valid=2, quarantined=1),
    warnings=(RuleWarning(rule="key_unique", field="job", message="möre", records=2),),
    field_profile={"": {"object": 3}, "a.b": {"string": 2, "=é": 1}},
    made_by="smelt 9.9.9",
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
FRAME = pl.DataFrame(ROWS, schema=silver.schema(registry.dataset("usajobs_search").tables))


def columns_of(table: Table) -> set[str]:
    """The names of a table's columns."""
    return {column.name for column in table.columns}


def test_rows_and_header_come_back_as_they_were() -> None:
    header, frame = silver.read(silver.write(FRAME, HEADER))
    assert header == HEADER
    assert frame.schema == FRAME.schema
    assert frame.equals(FRAME)


def test_a_frame_with_other_columns_is_refused() -> None:
    ours = HEADER.model_copy(update={"transform_version": registry.dataset("usajobs_search").version})
    for frame in (FRAME.drop("position_title"), FRAME.with_columns(extra=1), FRAME.cast({"control_number": pl.String})):
        with pytest.raises(PermanentError, match="its columns are not those of usajobs_search"):
            silver.read(silver.write(frame, ours))


@pytest.mark.parametrize("dataset", DATASETS)
def test_an_empty_frame_keeps_its_columns_and_its_header(dataset: str) -> None:
    empty = pl.DataFrame(schema=silver.schema(registry.dataset(dataset).tables))
    mine = HEADER.model_copy(update={"dataset": dataset})
    header, frame = silver.read(silver.write(empty, mine))
    assert (header, len(frame)) == (mine, 0)
    assert frame.schema == empty.schema


def test_an_upload_s_header_has_no_run() -> None:
    upload = HEADER.model_copy(update={"run_id": None, "part": None, "page": None, "part_pages": None})
    assert silver.read(silver.write(FRAME, upload))[0] == upload


def test_the_header_of_an_object_written_before_batches_says_that_it_is_the_only_one() -> None:
    fields = {"schema_version", "dataset", "transform_version", "source", "observed_at", "run_id", "part", "page"}
    old = HEADER.model_dump_json(include={*fields, "counts"})
    header, _ = silver.read(_parquet({silver.HEADER: old}))
    assert (header.batch, header.last, header.part_pages, header.field_profile, header.made_by) == (
        1,
        True,
        None,
        {},
        None,
    )


def test_a_field_that_a_later_release_adds_to_the_header_is_no_hindrance() -> None:
    later = json.dumps(HEADER.model_dump(mode="json") | {"of_tomorrow": "?"})
    assert silver.read(_parquet({silver.HEADER: later}))[0] == HEADER


def test_what_a_replay_repeats_comes_back() -> None:
    repeated = Replayed(source=HEADER.source, transform_version=1, observed_at=HEADER.observed_at, indexes=(3, 70))
    mine = HEADER.model_copy(update={"replay": repeated})
    assert silver.read(silver.write(FRAME, mine))[0] == mine


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_schema_has_each_column_of_each_table_and_no_other(dataset: str) -> None:
    tables = registry.dataset(dataset).tables
    children = {child.name for child in tables.children}
    expected = columns_of(tables.root) - {PROVENANCE} | {RECORD_INDEX, CONTENT_HASH, HASH_ONLY, RAW} | children
    assert set(silver.schema(tables)) == expected
    keys = {column.name for column in tables.root.primary_key.columns}
    assert all(set(silver.child_schema(child)) == columns_of(child) - keys for child in tables.children)


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
        pytest.param(_parquet({silver.HEADER: HEADER.model_dump_json().replace(":1,", ":0,", 1)}), id="of no version"),
    ],
)
def test_what_is_not_a_silver_object_is_refused(body: bytes) -> None:
    with pytest.raises(PermanentError, match="not a silver object"):
        silver.read(body)


JOBS = registry.dataset("usajobs_search").tables
JOB_LOCATION = next(table for table in JOBS.children if table.name == "job_location")
BLANK: dict[str, Any] = dict.fromkeys(name for name in silver.schema(JOBS) if name != HASH_ONLY) | {
    child.name: [] for child in JOBS.children
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3).map(lambda text: f"<{text}>")
TEXTS = st.none() | st.lists(TEXT, max_size=3)
PLACES = st.lists(st.none() | TEXT, max_size=3)


@pytest.mark.parametrize("few", [0, silver.FEW_LISTS])  # lists are made in another way where they are many
@given(rows=st.lists(st.tuples(TEXTS, PLACES), max_size=5))
def test_a_frame_holds_each_row_as_the_normaliser_made_it(
    few: int, rows: list[tuple[list[str] | None, list[str | None]]]
) -> None:
    given_rows = [
        BLANK
        | {
            RECORD_INDEX: 7 + n,
            "control_number": n,
            "apply_uri": texts,
            "job_location": [
                dict.fromkeys(silver.child_schema(JOB_LOCATION)) | {"ordinal": m, "city_name": city}
                for m, city in enumerate(places, start=1)
            ],
        }
        for n, (texts, places) in enumerate(rows)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(silver, "FEW_LISTS", few)
        frame = silver.frame(given_rows, JOBS)
    assert dict(frame.schema) == silver.schema(JOBS)
    assert frame.to_dicts() == [row | {HASH_ONLY: False} for row in given_rows]


def test_sightings_are_rows_of_nothing_but_key_and_hash_in_the_order_of_the_object() -> None:
    rows = [BLANK | {RECORD_INDEX: n, CONTENT_HASH: b"x", "control_number": n} for n in (0, 2)]
    frame = silver.with_hash_only_rows(silver.frame(rows, JOBS), [HashOnlyRow(1, (42,), b"seen")], JOBS)
    assert dict(frame.schema) == silver.schema(JOBS)
    assert frame.select(RECORD_INDEX, "control_number", CONTENT_HASH, HASH_ONLY).rows() == [
        (0, 0, b"x", False),
        (1, 42, b"seen", True),
        (2, 2, b"x", False),
    ]
    assert silver.read(silver.write(frame, HEADER))[1].equals(frame)
    assert silver.child_rows(frame, "job_location", [RECORD_INDEX]).is_empty()


def test_a_batch_of_an_older_transformer_lacks_newer_columns_and_is_read_all_the_same() -> None:
    tables = registry.dataset("reference_table").tables
    row = {"list": "a", "code": "1", "label": None, "valid_from": None, "valid_to": None}
    frame = silver.frame([{"record_index": 0, "content_hash": b"x", **row}], tables)
    header = SilverHeader(
        dataset="reference_table",
        transform_version=1,
        source=ObjectId("b", "uploads/reference_table/a.csv", "v"),
        observed_at=datetime(2026, 1, 1, tzinfo=UTC),
        counts=Counts(read=1, valid=1, quarantined=0),
    )
    older = silver.write(frame.drop("hash_only", "raw"), header)
    assert_frame_equal(silver.read(older)[1], frame)


def test_white_space_round_texts_goes_and_blank_ones_are_null() -> None:
    places = [dict.fromkeys(silver.child_schema(JOB_LOCATION)) | {"ordinal": 1, "city_name": " \n"}]
    row = BLANK | {RECORD_INDEX: 0, "position_title": "", "sub_agency": "\tx y ", "job_location": places}
    (made,) = silver.frame([row], JOBS).to_dicts()
    assert (made["position_title"], made["sub_agency"], made["job_location"][0]["city_name"]) == (None, "x y", None)
