"""Excel workbooks (xlsx): the values of a sheet, read as the CSV that Excel would save, in its own spellings of values.

So its header may stand below a title, and a row that does not fit costs itself only.
"""

import csv
import io
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from datetime import date, datetime, time
from itertools import chain
from typing import IO, Any

from services.transformer.content import Content
from services.transformer.formats import csv_rows
from services.transformer.formats.csv_header import LOOKED_AT
from services.transformer.input_limits import InputLimits
from shared.datasets.contract.options import CsvOptions
from shared.datasets.dataset import Dataset
from shared.errors import PermanentError

MAGIC = b"PK\x03\x04"
PART = "xl/workbook.xml"
IN_MEMORY = 1 << 24  # bytes of a workbook, and of its text
EXACT = 1e15  # Excel keeps 15 digits
# A formula without its value, which is no text: a program that does not calculate has written it.
NOT_CALCULATED = re.compile(rb'<c\b(?![^>]*\bt="str")[^>]*>\s*<f\b[^>]*(/>|>[^<]*</f>)\s*(<v\s*/>|<v>\s*</v>)?\s*</c>')
DAMAGE = (zipfile.BadZipFile, LookupError, ValueError, TypeError, AttributeError, EOFError, SyntaxError, OSError)

Cells = list[str]


def read(stream: "io.BufferedReader[Any]", dataset: Dataset, bounds: InputLimits) -> Content:
    """Records as they are read. Raises PermanentError for a damaged workbook, and where the sheet is not clear."""
    options = dataset.contract.options
    text, _ = as_csv(stream, options.excel.sheet, bounds)
    plain = copy(dataset)
    plain.contract = replace(
        dataset.contract,
        options=options.model_copy(
            update={"csv": CsvOptions(delimiter=",", skip=options.csv.skip, nulls=options.csv.nulls)}
        ),
    )
    return csv_rows.read(io.BufferedReader(text), plain, bounds)


def as_csv(stream: "io.BufferedReader[Any]", sheet: str | int | None, bounds: InputLimits) -> tuple[IO[bytes], str]:
    """The values of a sheet, a line a row, and the sheet's name. Raises PermanentError."""
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, prefix="smelt-") as file:
        shutil.copyfileobj(stream, file)
        _refuse_unreadable(file, bounds)
        try:
            return _converted(file, sheet, bounds)
        except DAMAGE as error:
            message = f"a damaged Excel workbook: {type(error).__name__}: {error}"
            raise PermanentError(message) from error


def _refuse_unreadable(file: IO[bytes], bounds: InputLimits) -> None:
    """Read every part to its end: damage shows, and none is longer than it says."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            if PART not in archive.namelist():
                message = "this is a zip file without an Excel workbook (xlsx); put what is in it"
                raise PermanentError(message)
            if sum(part.file_size for part in parts) > bounds.document:
                message = f"an Excel workbook that expands to more than {bounds.document} bytes; CSV may be longer"
                raise PermanentError(message)
            for part in parts:
                _check_part(part.filename, archive.read(part))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        message = f"a damaged Excel workbook: {error}"
        raise PermanentError(message) from error


def _check_part(name: str, content: bytes) -> None:
    if name.startswith("xl/worksheets/") and (match := NOT_CALCULATED.search(content)):
        cell = match[0].decode(errors="replace")[:80]
        message = f"formulas without values: open the workbook in Excel and save it. The first is {cell}"
        raise PermanentError(message)


def _converted(file: IO[bytes], sheet: str | int | None, bounds: InputLimits) -> tuple[IO[bytes], str]:
    from openpyxl import load_workbook

    file.seek(0)
    book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
    name, rows = _sheet(book, sheet)
    text = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, prefix="smelt-")  # noqa: SIM115 - its reader closes it
    wrapper = io.TextIOWrapper(text, encoding="utf-8", errors="surrogatepass", newline="", write_through=True)
    _write(wrapper, rows, bounds)
    wrapper.detach()
    text.seek(0)
    return text, name


def _write(text: io.TextIOWrapper, rows: Iterator[Cells], bounds: InputLimits) -> None:
    """Rows of one width, that of the widest of the first ones; blank rows are blank lines."""
    first: list[Cells] = []
    for row in rows:
        first.append(row)
        if sum(map(bool, first)) == LOOKED_AT:
            break
    width = max(map(len, first), default=0)
    writer = csv.writer(text, lineterminator="\n")
    for row in chain(first, rows):
        if row:
            writer.writerow([*row, *[""] * (width - len(row))])
        else:
            text.write("\n")
        if text.tell() > bounds.expanded:
            message = f"an Excel sheet of more than {bounds.expanded} bytes"
            raise PermanentError(message)


def _sheet(book: Any, wanted: str | int | None) -> tuple[str, Iterator[Cells]]:
    """The name and the rows of the wanted sheet, or of the only visible one that has values."""
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if wanted is not None:
        name = dict(enumerate(sheets, start=1)).get(wanted, "") if isinstance(wanted, int) else wanted
        if name not in sheets:
            message = f"an Excel workbook without sheet {wanted}; its sheets are {', '.join(sheets)}"
            raise PermanentError(message)
        return name, _rows(sheets[name])
    filled = [name for name, sheet in sheets.items() if sheet.sheet_state == "visible" and any(_rows(sheet))]
    if len(filled) != 1:
        names = ", ".join(filled) or "none with values"
        message = f"an Excel workbook with several sheets ({names}): name one in the contract, excel: {{sheet: …}}"
        raise PermanentError(message)
    return filled[0], _rows(sheets[filled[0]])


def _rows(sheet: Any) -> Iterator[Cells]:
    """The texts of each row, without blank ones at its end."""
    sheet.reset_dimensions()  # which writers get wrong
    for row in sheet.iter_rows():
        cells = [_text(cell) for cell in row]
        while cells and not cells[-1].strip():
            cells.pop()
        yield cells


def _text(cell: Any) -> str:
    value = cell.value
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float() if value.is_integer() and abs(value) < EXACT:
            return str(int(value))
        case datetime():
            return _moment(value, cell.number_format)
        case date() | time():
            return value.isoformat()
    return str(value)


def _moment(value: datetime, number_format: str) -> str:
    """A day where the cell shows no time."""
    from openpyxl.styles.numbers import is_datetime

    return value.date().isoformat() if is_datetime(number_format) == "date" else value.isoformat()
