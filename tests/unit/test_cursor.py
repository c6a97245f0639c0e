"""Cursors of incremental sources: what a run requests, and what its state becomes."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.datasets import registry
from shared.datasets.contract.cursor import Cursor
from shared.datasets.dataset import Dataset
from shared.errors import PermanentError
from tests.support.own_dataset import contract, own_dataset, smelt

TIMESTAMP = {"name": "changed", "logicalType": "timestamp"}
DAY = {"name": "changed", "logicalType": "date"}
NUMBER = {"name": "changed", "logicalType": "integer"}
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def made(
    tmp_path: Path,
    column: dict[str, Any],
    source: dict[str, Any] | None = None,
    disposition: str = "merge",
    **options: Any,
) -> Cursor:
    described = {
        "baseUrl": "https://api.test",
        "params": {"since": "{since}"},
        "incremental": {"cursor": "changed", "param": "since", **options},
        **(source or {}),
    }
    content = contract("mine", [column], **smelt(source=described, disposition=disposition))
    if disposition == "append":
        del content["schema"][0]["properties"][0]
    with own_dataset(tmp_path, content) as path:
        cursor = Dataset(path).cursor
    assert cursor is not None
    return cursor


def with_format(column: dict[str, Any], format_: str) -> dict[str, Any]:
    return {**column, "logicalTypeOptions": {"format": format_}}


@pytest.mark.parametrize(
    ("column", "options", "state", "start"),
    [
        (TIMESTAMP, {}, "2026-01-05T12:00:00Z", "2026-01-05T11:00:00Z"),
        (TIMESTAMP, {"overlap": "2d"}, "2026-01-05T12:00:00Z", "2026-01-03T12:00:00Z"),
        (TIMESTAMP, {"overlap": "0s"}, "2026-01-05T12:00:00.999999Z", "2026-01-05T12:00:00Z"),
        (TIMESTAMP, {"overlap": "0s"}, "2026-01-05T12:00:00+02:00", "2026-01-05T10:00:00Z"),
        (TIMESTAMP, {"format": "yyyy-MM-dd"}, "2026-01-05T00:30:00Z", "2026-01-04"),
        (with_format(TIMESTAMP, "epoch-seconds"), {"overlap": "0s"}, "1970-01-01T00:01:00Z", "60"),
        (with_format(TIMESTAMP, "epoch-milliseconds"), {"overlap": "0s"}, "1970-01-01T00:00:00.0019Z", "1"),
        (TIMESTAMP, {}, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        (DAY, {}, "2026-01-01", "2025-12-31"),
        (with_format(DAY, "dd/MM/yyyy"), {"overlap": "0d"}, "2026-01-02", "02/01/2026"),
        (NUMBER, {}, "17", "17"),
        (NUMBER, {"overlap": 5}, "17", "12"),
    ],
)
def test_a_run_requests_from_the_state_less_the_overlap(
    tmp_path: Path, column: dict[str, Any], options: dict[str, Any], state: str, start: str
) -> None:
    assert made(tmp_path, column, **options).start(state) == start


@pytest.mark.parametrize(
    ("column", "options", "start"),
    [
        (TIMESTAMP, {}, ""),
        (TIMESTAMP, {"initial": "2020-01-01T00:00:00Z"}, "2020-01-01T00:00:00Z"),
        (with_format(TIMESTAMP, "epoch-seconds"), {"initial": 0}, "0"),
        (NUMBER, {"initial": 0, "overlap": 5}, "0"),
    ],
)
def test_the_first_run_requests_from_the_initial_value(
    tmp_path: Path, column: dict[str, Any], options: dict[str, Any], start: str
) -> None:
    assert made(tmp_path, column, **options).start(None) == start


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        (TIMESTAMP, "2026-01-05T12:00:00.5+02:00", "2026-01-05T10:00:00.500000Z"),
        (TIMESTAMP, "", None),
        (TIMESTAMP, "yesterday", None),
        (TIMESTAMP, {"at": 1}, None),
        (TIMESTAMP, True, None),
        (with_format(TIMESTAMP, "epoch-milliseconds"), 1500, "1970-01-01T00:00:01.500000Z"),
        (DAY, "2026-01-05", "2026-01-05"),
        (NUMBER, "17", "17"),
        (NUMBER, True, None),
        (NUMBER, 2**70, None),
    ],
)
def test_a_record_has_a_cursor_as_its_property_reads_it(
    tmp_path: Path, column: dict[str, Any], value: object, text: str | None
) -> None:
    cursor = made(tmp_path, column)
    read = cursor.of_record({"id": 1, "changed": value})
    assert (None if read is None else cursor.to_text(read)) == text
    if text is not None:
        assert cursor.parse(text) == read


@pytest.mark.parametrize("record", [None, [], "x", {}, {"changed": None}])
def test_what_is_no_record_has_no_cursor(tmp_path: Path, record: object) -> None:
    assert made(tmp_path, TIMESTAMP).of_record(record) is None


@pytest.mark.parametrize(
    ("column", "newest", "capped"),
    [
        (TIMESTAMP, "9999-12-31T00:00:00Z", "2026-01-05T12:00:00Z"),
        (TIMESTAMP, "2026-01-05T11:59:59Z", "2026-01-05T11:59:59Z"),
        (DAY, "9999-12-31", "2026-01-05"),
        (NUMBER, "9999", "9999"),
    ],
)
def test_a_state_is_never_later_than_the_beginning_of_its_run(
    tmp_path: Path, column: dict[str, Any], newest: str, capped: str
) -> None:
    cursor = made(tmp_path, column)
    assert cursor.to_text(cursor.capped(cursor.parse(newest), NOON)) == capped


@pytest.mark.parametrize(("column", "text"), [(NUMBER, "2026-01-01"), (TIMESTAMP, "17"), (DAY, "soon")])
def test_a_state_of_another_kind_is_an_error(tmp_path: Path, column: dict[str, Any], text: str) -> None:
    with pytest.raises(PermanentError, match="is no cursor"):
        made(tmp_path, column).start(text)


TEXT = {"name": "changed", "logicalType": "string"}


@pytest.mark.parametrize(
    ("column", "source", "options", "error"),
    [
        (TEXT, {}, {}, "no property of this field that is a date, a timestamp or an integer"),
        (TIMESTAMP, {}, {"cursor": "place.changed"}, "no property of this field"),
        (TIMESTAMP, {}, {"overlap": "3"}, "overlap '3' of a timestamp"),
        (DAY, {}, {"overlap": "3h"}, "a number of days"),
        (NUMBER, {}, {"overlap": "1d"}, "overlap '1d' of a integer: a number"),
        (TIMESTAMP, {}, {"initial": "soon"}, "'soon' is no value of changed"),
        (TIMESTAMP, {}, {"format": "QQ"}, "QQ is none of"),
        (TIMESTAMP, {"params": {}}, {}, "no template {since}"),
        (TIMESTAMP, {"runParams": {"since": "x"}}, {}, "cannot be in runParams"),
        (TIMESTAMP, {"fullListing": True}, {}, "brings only what has changed"),
    ],
)
def test_options_that_do_not_fit_together_are_errors(
    tmp_path: Path, column: dict[str, Any], source: dict[str, Any], options: dict[str, Any], error: str
) -> None:
    with pytest.raises(PermanentError, match=error):
        made(tmp_path, column, source, **options)


@pytest.mark.parametrize("disposition", ["append", "snapshot"])
def test_dispositions_that_count_a_repeated_record_twice_are_refused(tmp_path: Path, disposition: str) -> None:
    with pytest.raises(PermanentError, match="does not suit runs that bring some records again"):
        made(tmp_path, TIMESTAMP, disposition=disposition)


def test_a_source_in_python_has_no_cursor(tmp_path: Path) -> None:
    source = {"baseUrl": "https://api.test", "params": {"since": "{since}"}}
    source["incremental"] = {"cursor": "changed", "param": "since"}
    with own_dataset(tmp_path, contract("mine", [TIMESTAMP], **smelt(source=source)), "SOURCE = object()"):
        assert registry.dataset("mine").cursor is None


def test_a_date_is_compared_in_utc(tmp_path: Path) -> None:
    cursor = made(tmp_path, DAY)
    evening = datetime.fromisoformat("2026-01-05T23:00:00-05:00")
    assert cursor.capped(date(2026, 1, 9), evening) == date(2026, 1, 6)
