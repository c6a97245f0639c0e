"""JSON lines, CSV and Parquet: records as they are read, of files of any length."""

import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.transformer.content import Unreadable
from services.transformer.formats import csv_rows, json_lines
from services.transformer.formats.parquet_check import SLICE
from services.transformer.transform import parse
from shared.errors import PermanentError
from tests.unit.test_formats import BOUNDS, THINGS, read

LONG = "x" * (BOUNDS.record + 1)


def outcomes(body: bytes | str) -> list[object]:
    """Of each record its value, or the rule by which it is none."""
    found = [parse(record, BOUNDS) for record in read(body).records]
    return [record.problem.rule if isinstance(record, Unreadable) else record for record in found]


def parquet_of(rows: list[dict[str, Any]], **options: Any) -> bytes:
    """A file with these rows."""
    buffer = io.BytesIO()
    pl.DataFrame(rows).write_parquet(buffer, **options)
    return buffer.getvalue()


# JSON lines


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n \n"])
def test_each_line_is_a_record_and_empty_ones_are_none(end: str) -> None:
    lines = ['{"id": 1}', '{"id": "\u00e9\u2028"}', "[3]", "null"]
    body = end.join(json.dumps(json.loads(line), ensure_ascii=False) for line in lines)
    assert outcomes(body) == outcomes(body + end) == [{"id": 1}, {"id": "\u00e9\u2028"}, [3], None]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b'{"id": 2', "json"),
        (b'{"id": 2}, ', "json"),
        (b"hello", "json"),
        (b'{"id": "\xff"}', "json"),
        (b"\x00", "json"),
        (b'{"id": 2} {"id": 3}', "json"),
        (b'{"id": "%s"}' % LONG.encode(), "record_size"),
        (b'{"id": "%s"}' % (b"y" * (3 << 20)), "record_size"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_line_that_is_no_record_costs_only_itself(line: bytes, rule: str) -> None:
    assert outcomes(b'{"id": 1}\n' + line + b'\n{"id": 3}\n') == [{"id": 1}, rule, {"id": 3}]
    assert outcomes(b'{"id": 1}\n{"id": 2}\n' + line) == [{"id": 1}, {"id": 2}, rule]


def test_a_line_may_be_as_long_as_a_record() -> None:
    longest = b'"%s"' % (b"x" * (BOUNDS.record - 2))
    assert outcomes(b'{"id": 1}\n' + longest + b"\n" + longest) == [{"id": 1}, *[longest[1:-1].decode()] * 2]


def test_what_is_kept_of_a_line_too_long_is_its_beginning() -> None:
    (_, cut) = list(read(b'{"id": 1}\n{"id": "' + LONG.encode() * 2).records)
    assert isinstance(cut, Unreadable)
    assert cut.text.startswith(b'{"id": "xxx')
    assert len(cut.text) == 1_000


@given(st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=8), st.integers(1, 12))
def test_every_line_is_given_once_whole_or_cut(lines: list[bytes], limit: int) -> None:
    stream = io.BufferedReader(io.BytesIO(b"".join(line + b"\n" for line in lines)))
    found = [(line.rstrip(b"\n")[:limit], whole) for line, whole in json_lines.lines(stream, limit)]
    assert found == [(line[:limit], len(line) <= limit) for line in lines]


def test_records_are_read_as_they_are_asked_for() -> None:
    class Counted(io.BytesIO):
        """Counts the bytes that were asked of it."""

        taken = 0

        def readinto(self, buffer: Any) -> int:
            self.taken += len(buffer)
            return super().readinto(buffer)

    source = Counted(b'{"id": 1}\n' * 100_000)
    content = json_lines.read(io.BufferedReader(source), BOUNDS)
    next(content.records)
    assert source.taken < 100_000


# CSV


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("id,name\n1,one\n2,two", [{"id": "1", "name": "one"}, {"id": "2", "name": "two"}]),
        ("id,name\r\n1,one\r\n\r\n", [{"id": "1", "name": "one"}]),
        ('id,name\n1,"a ""quoted"", name\nin two lines"\n', [{"id": "1", "name": 'a "quoted", name\nin two lines'}]),
        ("id,name\n1,\n", [{"id": "1", "name": ""}]),
        ("name,id\n\u00e9,1\n", [{"name": "\u00e9", "id": "1"}]),
        ('"id"\n"1"\n', [{"id": "1"}]),
        ("id\n", []),
        ("id", []),
    ],
)
def test_a_row_is_a_record_of_texts(body: str, expected: list[object]) -> None:
    assert outcomes(body) == expected


@pytest.mark.parametrize(
    "row",
    [
        b"2",
        b"2,two,too many",
        b'2,"tw"o',
        b"2,\xff",
        b"2," + LONG.encode(),
        b"2," + b"y" * (3 << 20),
    ],
    ids=["too few values", "too many", "a quote in mid-value", "no text", "too long", "much too long"],
)
def test_a_row_that_does_not_fit_costs_only_itself(row: bytes) -> None:
    assert outcomes(b"id,name\n1,one\n" + row + b"\n3,three\n") == [
        {"id": "1", "name": "one"},
        "csv",
        {"id": "3", "name": "three"},
    ]


def test_a_quote_that_is_never_closed_is_told_and_not_passed_over() -> None:
    assert outcomes('id,name\n1,one\n2,"two\n3,three\n')[-1] == "csv"


@pytest.mark.parametrize(
    ("body", "lacking"),
    [("name\none\n", "id"), ("Id of it\n1\n", "id"), ("id:name\n1:one\n", "id"), (f'"{LONG}', "id"), ('"id"x\n', "id")],
)
def test_a_header_without_the_key_is_refused_with_what_it_lacks(body: str, lacking: str) -> None:
    with pytest.raises(PermanentError, match=f"as CSV it lacks the columns {lacking}"):
        read(body)


@given(st.lists(st.tuples(*[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"))] * 2)))
def test_whatever_a_csv_writer_writes_is_read(rows: list[tuple[str, str]]) -> None:
    frame = pl.DataFrame(rows, schema={"id": pl.String, "name": pl.String}, orient="row")
    body = frame.write_csv(quote_style="always").encode()
    found = csv_rows.read(io.BufferedReader(io.BytesIO(body)), THINGS, BOUNDS).records
    assert [parse(record, BOUNDS) for record in found] == [{"id": a, "name": b} for a, b in rows]


# Parquet


@pytest.mark.usefixtures("parquet_checked_in_process")
@pytest.mark.parametrize("rows", [0, 1, SLICE, SLICE + 1, 2 * SLICE + 7])
def test_all_rows_come_in_their_order(rows: int) -> None:
    buffer = io.BytesIO()
    pl.DataFrame({"id": range(rows)}).write_parquet(buffer, row_group_size=1_234)
    assert outcomes(buffer.getvalue()) == [{"id": n} for n in range(rows)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body[:-1],
        lambda body: body[:200],
        lambda _: b"PAR1",
        lambda _: b"PAR1" + bytes(100) + b"PAR1",
        lambda body: body[:-8] + b"\xff\xff\xff\x7f" + b"PAR1",
    ],
    ids=["cut by a byte", "cut short", "the first bytes alone", "nothing inside", "a footer too long"],
)
def test_damaged_parquet_is_refused_as_such(damage: Any) -> None:
    with pytest.raises(PermanentError, match=r"^damaged Parquet: "):
        outcomes(damage(parquet_of([{"id": n, "name": str(n)} for n in range(500)])))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the test's own for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    monkeypatch.undo()


def test_no_copy_of_a_parquet_file_is_left_behind(temporary: Path) -> None:
    list(read(parquet_of([{"id": 1}])).records)
    unfinished = read(parquet_of([{"id": n} for n in range(3 * SLICE)])).records
    next(unfinished)
    assert len(list(temporary.iterdir())) == 1
    del unfinished
    with pytest.raises(PermanentError):
        read(b"PAR1 and no more")
    assert list(temporary.iterdir()) == []
