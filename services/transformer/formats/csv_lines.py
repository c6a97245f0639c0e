"""CSV records out of lines (RFC 4180), so that every line is in exactly one of them, or is said to be in none.

A quote that is out of place leaves two readings of the lines after it: they are records, or they are text of a field
that is still open. Lines are therefore read on, as records, but kept until it is clear that they are: no field is
longer than the largest record. Where one of them would close the field, all lines up to it may be its text, and none
of them becomes a record (ADR 33).
"""

import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, NamedTuple

from services.transformer.formats.json_lines import lines

if TYPE_CHECKING:
    from _csv import Reader as CsvReader

PATIENCE = 2  # times the limit of a record
NEVER_CLOSED = "unexpected end of data"  # as csv says it
MISSING = "too few values, perhaps because of a quote that is missing"
MAY_BE_TEXT = "may be inside of a quoted field, after what is wrong in line {}"


class Line(NamedTuple):
    """A line of the file as it stands there; `whole` unless it is longer than a record may be."""

    number: int
    raw: bytes
    whole: bool

    @property
    def text(self) -> str:
        """Bytes that are not UTF-8 are marked, so that quotes and delimiters round them count."""
        return self.raw.decode(errors="surrogateescape")


class Row(NamedTuple):
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

    @property
    def text(self) -> str:
        """The same, with marks for bytes that are not UTF-8."""
        return "".join(line.text for line in self.lines)


class _Doubts:
    """How many values a row must have, if a field that may be open ends in it.

    `open` counts from the value that ends, after rows that are broken; `short` all, after rows that are only too short.
    """

    def __init__(self) -> None:
        self.open: set[int] = set()
        self.short: set[int] = set()


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

    def __init__(  # noqa: PLR0913, PLR0917 - of which two have defaults
        self, source: Lines, delimiter: str, width: int, limit: int, comment: bytes = b"", quote: str | None = '"'
    ) -> None:
        """`width` is the number of values that a row should have, `limit` the most bytes that it may have.

        Lines that begin with `comment` are no rows, unless they are text of a quoted field. Without a `quote` no field
        is quoted.
        """
        self._comment, self._quote, self._mark = comment, quote, (quote or "").encode()
        self._source, self._delimiter, self._width, self._limit = source, delimiter, width, limit
        end, q, mark = rf"(?={re.escape(delimiter)}|\r?\n|\r?\Z)", re.escape(quote or '"'), re.escape(delimiter)
        self._quoted = re.compile(rf"(?:^|(?<={mark})){q}(?:[^{q}]|{q}{q})*+{q}{end}", re.MULTILINE)
        self._closing = re.compile(f"{q}{end}")
        self._field = re.compile(f"(?:{q}(?:[^{q}]|{q}{q})*+{q}|[^{q}{mark}][^{mark}]*+|){mark}")

    def __iter__(self) -> Iterator[Row]:
        while row := self._next():
            if row.endless:
                yield from _refused([row], row)
            elif row.broken or len(row.values) < self._width:
                yield from self._resumed(row)
            else:
                yield row

    def _next(self) -> Row | None:
        """The next record, if no quoted field is open. Of one that is broken only the first line is taken."""
        for line in self._source:
            if line.raw.strip(b"\r\n") and not (self._comment and line.raw.startswith(self._comment)):
                return self._quoting(line) if self._has_quote(line.raw) or not line.whole else self._plain(line)
        return None

    def _has_quote(self, raw: bytes) -> bool:
        return self._quote is not None and self._mark in raw

    def _plain(self, line: Line) -> Row:
        text = line.text.rstrip("\r\n")
        if "\r" in text:
            return Row([line], problem="a carriage return inside of it")
        return Row([line], text.split(self._delimiter))

    def _quoting(self, first: Line) -> Row:
        if first.whole:
            with suppress(csv.Error):
                return Row([first], next(parsed((first.text,), self._delimiter, self._quote)))
        return self._over_lines(first)

    def _over_lines(self, first: Line) -> Row:
        taken: list[Line] = []
        try:
            values = next(parsed(self._texts(first, taken), self._delimiter, self._quote))
        except csv.Error as error:
            if str(error) == NEVER_CLOSED:
                return Row(taken, problem="a quoted field that opens here is never closed", endless=True)
            inside = self._inside(taken)
            self._source.put_back(taken[inside:])
            return Row(taken[:inside], problem=f"{error} (seen in line {taken[-1].number})", broken=True)
        size = sum(len(line.raw) for line in taken)
        return Row(taken, values) if size <= self._limit else Row(taken, problem=f"more than {self._limit} bytes")

    def _inside(self, taken: Sequence[Line]) -> int:
        """How many of the lines may be text of the field that the first opens: not the one that breaks it."""
        sizes = accumulate(len(line.raw) for line in taken)
        return max(1, min(len(taken) - 1, sum(size <= self._limit for size in sizes)))

    def _texts(self, first: Line, taken: list[Line]) -> Iterator[str]:
        """The texts of as many lines as are asked for. Raises csv.Error far beyond the limit of a record.

        Where a record ends that is a little too long is worth knowing.
        """
        size = 0
        for line in chain((first,), self._source):
            taken.append(line)
            size += len(line.raw)
            if not line.whole or size > PATIENCE * self._limit:
                message = f"more than {self._limit} bytes, or a quote that is never closed"
                raise csv.Error(message)
            yield line.text

    def _resumed(self, doubtful: Row) -> Iterator[Row]:
        """A row after which a field may be open, and those after it as soon as they are known to be rows."""
        kept, size, doubts = list[Row](), 0, _Doubts()
        row: Row | None = doubtful
        while row:
            kept.append(row)
            size += len(row.raw)
            ends = row.endless or self._ends(row, doubts)
            if ends or (doubts.open and self._is_text(row)):
                yield from _refused(kept, doubtful)
                kept, size = [], 0
            if ends and not row.broken:
                return
            doubts = _Doubts() if ends else doubts
            self._doubt(row, doubts)
            row = self._next() if size <= self._limit else None
        for row in kept:
            yield from _refused([row], row) if row.broken else [row]

    def _doubt(self, row: Row, doubts: "_Doubts") -> None:
        if row.broken:
            doubts.open.add(self._width - self._fields_before(row.lines[0].text))
        elif len(row.values) < self._width:
            doubts.short.add(self._width - len(row.values) + 1)

    def _ends(self, row: Row, doubts: "_Doubts") -> bool:
        """Whether a field that is open could end in this row, so that its parts together are a row that fits."""
        if not self._has_quote(row.raw):
            return False
        if len(row.values) in doubts.short and self._is_text(row):
            return True
        text = row.text
        return any(self._count(text[quote.end() :]) in doubts.open for quote in self._closing.finditer(text))

    def _is_text(self, row: Row) -> bool:
        """Whether the row has a quote as at the end of a field that does not begin in it."""
        return self._has_quote(row.raw) and self._closing.search(self._quoted.sub("", row.text)) is not None

    def _fields_before(self, text: str) -> int:
        """How many fields are complete before the one that is left open."""
        fields, end = 0, 0
        while match := self._field.match(text, end):
            fields, end = fields + 1, match.end()
        return fields

    def _count(self, text: str) -> int:
        """How many values there are in the rest of a row, the one that ends where it begins among them."""
        try:
            return len(next(parsed((text,), self._delimiter, self._quote), [])) or 1
        except csv.Error:
            return 0


def parsed(texts: Iterable[str], delimiter: str, quote: str | None) -> "CsvReader":
    """Rows of CSV. Raises csv.Error for a quote out of place; without a quote every character is text."""
    if quote is None:
        return csv.reader(texts, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True)
    return csv.reader(texts, delimiter=delimiter, quotechar=quote, strict=True)


def _refused(rows: Sequence[Row], doubtful: Row) -> Iterator[Row]:
    """Each line by itself: none of them may become a record."""
    begin = doubtful.lines[0]
    for line in (line for row in rows for line in row.lines):
        yield Row([line], problem=doubtful.problem or MISSING if line == begin else MAY_BE_TEXT.format(begin.number))
