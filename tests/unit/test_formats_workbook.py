"""Excel workbooks: values as the sheet shows them, and equal to those of an independent reader."""

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import orjson
import pytest
from python_calamine import CalamineWorkbook

from services.transformer import formats
from services.transformer.content import Unreadable
from services.transformer.decompress import verified
from services.transformer.input_limits import InputLimits
from shared.datasets import registry
from shared.errors import PermanentError
from tests.support.own_dataset import contract, own_dataset, smelt
from tests.unit.test_formats import BOUNDS, stream

NIGHT, MOMENT = datetime.fromisoformat("2026-01-02"), datetime.fromisoformat("2026-01-02T03:04:05")
ROWS: list[list[Any]] = [
    ["id", "name", "on", "at", "clock", "share", "open", "lasted", "code"],
    [123, "x\ny", date(2026, 1, 2), MOMENT, time(12, 30), 0.25, True, timedelta(hours=30), "007"],
    ["b", ' "q", é', None, NIGHT, None, -1e20, False, None, 1.0],
]


def workbook(rows: list[list[Any]], **sheets: list[list[Any]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    for name, content in {"Data": rows, **sheets}.items():
        sheet = book.active if name == "Data" else book.create_sheet(name)
        sheet.title = name
        for row in content:
            sheet.append(row)
    return book


def saved(book: openpyxl.Workbook) -> bytes:
    body = io.BytesIO()
    book.save(body)
    return body.getvalue()


def read(body: bytes, bounds: InputLimits = BOUNDS) -> list[Any]:
    content = formats.read_upload(verified(stream(body), bounds.expanded), registry.dataset("mine"), bounds)
    return [
        record.problem.message if isinstance(record, Unreadable) else orjson.loads(record) for record in content.records
    ]


@pytest.fixture(autouse=True)
def dataset(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    options = getattr(request, "param", {})
    with own_dataset(tmp_path, contract("mine", [{"name": "name"}], **smelt(**options))):
        yield


def test_values_are_what_the_sheet_shows() -> None:
    assert read(saved(workbook(ROWS))) == [
        {
            "id": "123", "name": "x\ny", "on": "2026-01-02", "at": "2026-01-02T03:04:05", "clock": "12:30:00",
            "share": "0.25", "open": "true", "lasted": "1 day, 6:00:00", "code": "007",
        },
        {
            "id": "b", "name": ' "q", é', "on": "", "at": "2026-01-02T00:00:00", "clock": "", "share": "-1e+20",
            "open": "false", "lasted": "", "code": "1",
        },
    ]  # fmt: skip


def test_values_equal_those_of_another_reader() -> None:
    body = saved(workbook(ROWS))
    header, *rows = CalamineWorkbook.from_object(io.BytesIO(body)).get_sheet_by_index(0).to_python()
    compared = {"name": str, "on": str, "clock": str, "share": float}
    for record, row in zip(read(body), rows, strict=True):
        other = dict(zip(header, row, strict=True))
        for name, kind in compared.items():
            assert kind(record[name] or 0) == kind(other[name] or 0)
    assert rows[0][3] == datetime.fromisoformat(read(body)[0]["at"])


def test_titles_and_blank_rows_stand_above_and_between() -> None:
    book = workbook([["Report of May", None, None], [], ["id", "name"], ["1", "a"], [], [None, None], ["2"]])
    book["Data"].merge_cells("A1:C1")
    assert read(saved(book)) == [{"id": "1", "name": "a"}, {"id": "2", "name": ""}]


def test_a_row_with_a_value_beyond_the_header_costs_itself() -> None:
    rows = [["id", "name"], *([f"{n}", "a"] for n in range(25)), ["x", "a", "more"]]
    *good, bad = read(saved(workbook(rows)))
    assert len(good) == 25
    assert "line 27: 3 values for 2 columns" in bad


def test_an_error_of_a_formula_is_no_blank() -> None:
    assert read(saved(workbook([["id", "name"], ["1", "#N/A"]]))) == [{"id": "1", "name": "#N/A"}]


def test_a_formula_that_was_not_calculated_is_refused() -> None:
    with pytest.raises(PermanentError, match="formulas without values: open the workbook in Excel and save it"):
        read(saved(workbook([["id", "name"], ["1", "=1+1"]])))


def test_a_calculated_formula_has_its_value() -> None:
    body = _replaced(saved(workbook([["id", "name"], ["1", "=1+1"]])), rb"<v\s*/>|<v></v>", b"<v>2</v>")
    assert read(body) == [{"id": "1", "name": "2"}]


def test_several_sheets_have_to_be_chosen_from() -> None:
    with pytest.raises(PermanentError, match=r"several sheets \(Data, Other\): name one in the contract"):
        read(saved(workbook(ROWS, Other=[["id"], ["1"]])))


def test_hidden_and_empty_sheets_do_not_count() -> None:
    book = workbook([["id", "name"], ["1", "a"]], Hidden=[["id"], ["9"]], Empty=[])
    book["Hidden"].sheet_state = "hidden"
    assert read(saved(book)) == [{"id": "1", "name": "a"}]


@pytest.mark.parametrize("dataset", [{"excel": {"sheet": "Other"}}, {"excel": {"sheet": 2}}], indirect=True)
def test_the_contract_chooses_a_sheet() -> None:
    assert read(saved(workbook(ROWS, Other=[["id", "name"], ["1", "a"]]))) == [{"id": "1", "name": "a"}]


@pytest.mark.parametrize("dataset", [{"excel": {"sheet": "Nowhere"}}, {"excel": {"sheet": 3}}], indirect=True)
def test_a_sheet_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(PermanentError, match=r"without sheet (Nowhere|3); its sheets are Data, Other"):
        read(saved(workbook(ROWS, Other=[["id"], ["1"]])))


@pytest.mark.parametrize("dataset", [{"csv": {"decimal": ",", "thousands": ".", "nulls": ["n/a"]}}], indirect=True)
def test_marks_of_csv_are_not_those_of_excel_and_its_nulls_are() -> None:
    assert read(saved(workbook([["id", "name", "n"], ["1", "n/a", 1.5]]))) == [{"id": "1", "name": None, "n": "1.5"}]


def test_a_workbook_that_expands_too_much_is_refused() -> None:
    body = saved(workbook([["id", "name"], *([f"{n}", "a" * 100] for n in range(20_000))]))
    bounds = InputLimits(stored=1 << 30, expanded=1 << 30, document=1 << 20, record=1 << 20, nesting=64)
    with pytest.raises(PermanentError, match="expands to more than 1048576 bytes; CSV may be longer"):
        read(body, bounds)


def test_a_zip_file_that_is_no_workbook_is_refused() -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("a.csv", "id\n1\n")
    with pytest.raises(PermanentError, match="a zip file without an Excel workbook"):
        read(body.getvalue())


def test_a_damaged_workbook_is_refused_wherever_the_damage_is() -> None:
    body = saved(workbook([["id", "name"], *([f"{n}", f"{n}" * 7] for n in range(300))]))
    assert len(read(body)) == 300
    whole = read(body)
    for place in range(0, len(body), len(body) // 60):
        damaged = body[:place] + bytes((body[place] ^ 0xFF,)) + body[place + 1 :]
        for wrong in (damaged, body[:place]):
            with suppress(PermanentError):
                assert read(wrong) == whole  # the damage is in what has no values


def _replaced(body: bytes, pattern: bytes, new: bytes) -> bytes:
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as archive, zipfile.ZipFile(changed, "w") as target:
        for name in archive.namelist():
            target.writestr(name, re.sub(pattern, new, archive.read(name)))
    return changed.getvalue()
