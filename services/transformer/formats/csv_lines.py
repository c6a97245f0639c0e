"""CSV records out of lines (RFC 4180), so that every line is in exactly one of them, or is said to be in none.

A quote that is out of place leaves two readings of the lines after it: they are records, or they are text of a field
that is still open. Lines are therefore read on, as records, but kept until it is clear that they are: no field is
longer than the largest record. Where one of them would close the field, all lines up to it may be its text, and none
of them becomes a record (ADR 29).
"""

import csv
import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from services.transformer.formats.json_lines import lines

NEVER_CLOSED = "unexpected end of data"  # as csv says it
MAY_BE_TEXT = "may be inside of a quoted field, after what is wrong in line {}"


@dataclass(frozen=True)
class Line:
    """A line of the file as it stands there; `whole` unless it is longer than a record may be."""

    number: int
    raw: bytes
    whole: bool

    @property
    def text(self) -> str:
        """Bytes that are not UTF-8 are marked, so that quotes and delimiters round them count."""
        return self.raw.decode(errors="surrogateescape")


@dataclass(frozen=True)
class Row:
    """The lines of one record with its values, or with what is wrong.

    After a row that is `broken`, nobody knows whether a quoted field is open; one that is `endless` opens a field that
    the file never closes.
    """

    lines: Sequence[Line]
    values: Sequence[str] = ()
    problem: str = ""
    broken: bool = False
    endless: bool = False

    @property
    def place(self) -> str:
        """Where it is in the file; lines count from 1."""
        first, last = self.lines[0].number, self.lines[-1].number
        return f"line {first}" if first == last else f"lines {first} to {last}"

    @property
    def raw(self) -> bytes:
        """The lines as they stand in the file."""
        return b"".join(line.raw for line in self.lines)


class Lines:
    """The lines of a stream, in order; they can be put back."""

    def __init__(self, stream: "io.BufferedReader[Any]", limit: int, before: int = 0) -> None:
        """`before` lines of the file have been read."""
        self._lines, self._back = enumerate(lines(stream, limit), start=before + 1), deque[Line]()

    def __iter__(self) -> Iterator[Line]:
        return self

    def __next__(self) -> Line:
        if self._back:
            return self._back.popleft()
        number, (raw, whole) = next(self._lines)
        return Line(number, raw, whole)

    def put_back(self, some: Sequence[Line]) -> None:
        """These come next."""
        self._back.extendleft(reversed(some))


class Reader:
    """Rows out of lines. Empty lines are none."""

    def __init__(self, source: Lines, delimiter: str, width: int, limit: int) -> None:
        """`width` is the number of values that a row should have, `limit` the most bytes that it may have."""
        self._source, self._delimiter, self._width, self._limit = source, delimiter, width, limit
        end = rf"(?={re.escape(delimiter)}|\r?\n|\r?\Z)"
        self._quoted = re.compile(rf'(?:^|(?<={re.escape(delimiter)}))"(?:[^"]|"")*+"{end}', re.MULTILINE)
        self._closing = re.compile(f'"{end}')

    def __iter__(self) -> Iterator[Row]:
        while row := self._next():
            if row.endless:
                yield from _refused([row])
            elif row.broken or len(row.values) < self._width:
                yield from self._resumed(row)
            else:
                yield row

    def _next(self) -> Row | None:
        """The next record, if no quoted field is open. Of one that is broken only the first line is taken."""
        for line in self._source:
            if line.raw.strip(b"\r\n"):
                return self._plain(line) if b'"' not in line.raw and line.whole else self._quoting(line)
        return None

    def _plain(self, line: Line) -> Row:
        text = line.text.rstrip("\r\n")
        if "\r" in text:
            return Row([line], problem="a carriage return inside of it")
        return Row([line], text.split(self._delimiter))

    def _quoting(self, first: Line) -> Row:
        taken: list[Line] = []
        try:
            values = next(csv.reader(self._texts(first, taken), delimiter=self._delimiter, strict=True))
        except csv.Error as error:
            if str(error) == NEVER_CLOSED:
                return Row(taken, problem="a quoted field that opens here is never closed", endless=True)
            self._source.put_back(taken[1:])
            return Row(taken[:1], problem=f"{error} (seen in line {taken[-1].number})", broken=True)
        return Row(taken, values)

    def _texts(self, first: Line, taken: list[Line]) -> Iterator[str]:
        """The texts of as many lines as are asked for. Raises csv.Error beyond the limit of a record."""
        size = 0
        for line in chain((first,), self._source):
            taken.append(line)
            size += len(line.raw)
            if not line.whole or size > self._limit + len(line.raw) * (len(taken) == 1):
                message = f"more than {self._limit} bytes"
                raise csv.Error(message)
            yield line.text

    def _resumed(self, doubtful: Row) -> Iterator[Row]:
        """A row after which a field may be open, and those after it as soon as they are known to be rows."""
        kept, size = [doubtful], len(doubtful.raw)
        while size <= self._limit and (row := self._next()):
            kept.append(row)
            size += len(row.raw)
            if self._closes(row, doubtful):
                yield from _refused(kept)
                return
        yield from kept

    def _closes(self, row: Row, doubtful: Row) -> bool:
        """Whether a field that `doubtful` has left open could end in this row. Of two rows that are only too short, the
        parts must add up.
        """
        if row.endless:
            return True
        text = self._quoted.sub("", "".join(line.text for line in row.lines))
        fits = doubtful.broken or len(doubtful.values) + len(row.values) == self._width + 1
        return fits and self._closing.search(text) is not None


def _refused(rows: Sequence[Row]) -> Iterator[Row]:
    """Each line by itself: none of them may become a record."""
    first, *others = (line for row in rows for line in row.lines)
    yield Row([first], problem=rows[0].problem or "too few values, perhaps because of a quote that is missing")
    for line in others:
        yield Row([line], problem=MAY_BE_TEXT.format(first.number))
