"""Files of rows: JSON lines, CSV and Parquet, with damaged ones among good ones; and pages most of which is bad."""

import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import polars as pl

from tests.contract.poison.case import (
    FLAT_UPLOADS,
    NEIGHBOURS,
    POISON,
    Body,
    Case,
    Lands,
    Posting,
    Quarantined,
    posting,
    refused,
    response,
    written,
)

MIB = 1 << 20
LONG = b"x" * (4 * MIB + 1)  # longer than a record may be
HALF = LONG[: 2 * MIB + 1]
DAMAGED = "^damaged Parquet: "


def _lines(*bad: bytes, end: bytes = b"\n") -> Callable[[int], bytes]:
    """JSON lines with these between two good postings."""

    def body(first: int) -> bytes:
        one, two = (written(posting(first + offset)) for offset in NEIGHBOURS)
        return end.join((one, *bad, two))

    return body


def _flat(number: int, title: str = "Smelter") -> str:
    return f"{number},{title},N\r\n"


def _table(
    *bad: str | bytes, header: str = "usajobsControlNumber,positionTitle,supervisoryStatus\r\n"
) -> Callable[[int], bytes]:
    """CSV with these rows between two good ones."""

    def body(first: int) -> bytes:
        rows = [header, _flat(first + NEIGHBOURS[0]), *bad, _flat(first + NEIGHBOURS[1])]
        return b"".join(row if isinstance(row, bytes) else row.encode() for row in rows)

    return body


def _parquet(*make: Callable[[int], dict[str, Any]]) -> Callable[[int], bytes]:
    """Parquet of what these make, between two good postings."""

    def body(first: int) -> bytes:
        one, two = (_filled(first + offset) for offset in NEIGHBOURS)
        rows = [one, *(each(first + POISON + n) for n, each in enumerate(make)), two]
        buffer = io.BytesIO()
        pl.DataFrame(
            {
                "MatchedObjectId": [str(row["MatchedObjectId"]) for row in rows],
                "MatchedObjectDescriptor": [row["MatchedObjectDescriptor"] for row in rows],
            }
        ).write_parquet(buffer)
        return buffer.getvalue()

    return body


def _filled(number: object, title: str = "Smelter") -> Posting:
    """A posting with details: Parquet has no objects without fields."""
    return posting(number, title, {"JobSummary": "x"})


def _case(name: str, body: Body, rules: list[str], **fields: Any) -> Case:
    """A file of which the records from the second on are rejected by these rules, and the others land."""
    ends = Quarantined(dict(enumerate(rules, start=1))) if rules else Lands()
    return Case(name, body, ends, neighbours=NEIGHBOURS, **fields)


def _csv(name: str, body: Body, rules: list[str]) -> Case:
    return _case(name, body, rules, key=f"{FLAT_UPLOADS}poison/{name}")


def _in_place_of_the_id(value: str) -> Callable[[int], dict[str, Any]]:
    return lambda number: _filled(number) | {"MatchedObjectId": value}


JSON_LINES = (
    _case("JSON lines", _lines(), []),
    _case("JSON lines with empty ones", _lines(b"", b" \t", b""), []),
    _case("JSON lines with line ends of Windows", _lines(end=b"\r\n"), []),
    _case("JSON lines in gzip", lambda first: gzip.compress(_lines()(first)), []),
    _case(
        "JSON lines that are none",
        _lines(b"{", b"hello", b'{"a": 1} {"b": 2}', b"\xff\xfe", b"\x00", b"]", b'{"a": "\xff"}'),
        ["json"] * 7,
    ),
    _case("JSON lines that are no postings", _lines(b"{}", b"5", b"null", b"[]"), ["missing", *["model_type"] * 3]),
    _case("a JSON line that is too long", _lines(b'{"a": "' + LONG + b'"}'), ["record_size"]),
    _case("a JSON line nested too deep", _lines(b"[" * 100 + b"]" * 100), ["nesting"]),
    _case("a JSON line nested 100,000 levels deep", _lines(b"[" * 100_000 + b"]" * 100_000), ["json"]),
    Case(
        "a JSON line cut short at the end",
        lambda first: _lines()(first) + b'\n{"MatchedObj',
        Quarantined({2: "json"}),
        neighbours=NEIGHBOURS,
    ),
    refused(
        "JSON lines that expand without end",
        "expands to more than",
        lambda first: gzip.compress(written(posting(first)) + b"\n" + bytes(32 * MIB), 1),
    ),
    refused("JSON lines in gzip cut short", "^damaged", lambda first: gzip.compress(_lines()(first))[:-12]),
)

TABLES = (
    _csv("CSV", _table(), []),
    _csv("CSV with a byte order mark", lambda first: b"\xef\xbb\xbf" + _table()(first), []),
    _csv("CSV with empty lines", _table("\r\n", "\r\n"), []),
    _csv("CSV with more columns than we know", _table(header="usajobsControlNumber,positionTitle,\u00fc\r\n"), []),
    _csv(
        "CSV rows that do not fit",
        _table("5\r\n", "5,a,N,too many\r\n", '5,"a"b,N\r\n', b"5,\xff,N\r\n"),
        ["csv"] * 4,
    ),
    _csv("a CSV row that is too long", _table(b"5," + LONG + b",N\r\n"), ["csv"]),
    _csv("a CSV row that is too long in quotes", _table(b'5,"' + HALF + b"\r\n" + HALF + b'",N\r\n'), ["csv"]),
    _csv(
        "CSV rows without their keys",
        _table(",a,N\r\n", "x,a,N\r\n", "0,a,N\r\n"),
        ["control_number_present", "int_", "control_number_range"],
    ),
    _csv("CSV rows with NUL", _table("5,a\x00b,N\r\n"), ["csv|string_with_nul"]),
    _csv("CSV with tabs", lambda first: _table()(first).replace(b",", b"\t"), []),
    _csv("CSV in UTF-16", lambda first: _table()(first).decode().encode("utf-16"), []),
    _csv("CSV with a line for Excel and titles", lambda first: b"sep=,\r\nAll of May,,\r\n" + _table()(first), []),
    _csv(
        "CSV with a record inside of a field whose quotes are not doubled",
        _table('5,"he said "hi" and\r\n', _flat(6, "phantom"), 'end",N\r\n'),
        ["csv"] * 3,
    ),
    Case(
        "CSV with a quote that nothing closes",
        lambda first: _table()(first) + b'5,"open,N\r\n' + _flat(6, "phantom").encode(),
        Quarantined({2: "csv", 3: "csv"}),
        neighbours=NEIGHBOURS,
        key=f"{FLAT_UPLOADS}poison/CSV with a quote that nothing closes",
    ),
    _csv("CSV that is not UTF-8 inside of a field", _table(b'5,"a\r\n\xff\r\n', _flat(6), 'end",N\r\n'), ["csv"]),
    refused(
        "CSV with a column twice",
        "more than one column positionTitle: 'usajobsControlNumber,positionTitle,positionTitle'",
        _table(header="usajobsControlNumber,positionTitle,positionTitle\r\n"),
        key=f"{FLAT_UPLOADS}poison/CSV with a column twice",
    ),
    refused(
        "CSV without the key",
        "lacks the columns usajobsControlNumber",
        _table(header="a,b,c\r\n"),
        key=f"{FLAT_UPLOADS}poison/CSV without the key",
    ),
    _csv("CSV with semicolons", lambda first: _table()(first).replace(b",", b";"), []),
    refused("CSV for a dataset that is not flat", "lacks the columns MatchedObjectId", _table()),
    Case(
        "CSV of nothing but a header",
        lambda _: b"usajobsControlNumber\n",
        Lands(),
        key=f"{FLAT_UPLOADS}poison/CSV of nothing but a header",
    ),
)

PARQUET = (
    _case("Parquet", _parquet(), []),
    _case("Parquet in zstd's place", lambda first: gzip.compress(_parquet()(first)), []),
    _case(
        "Parquet rows that are no postings",
        _parquet(_in_place_of_the_id("x"), _in_place_of_the_id("\x00"), lambda number: _filled(number, " ")),
        ["int_", "string_with_nul", "position_title_present"],
    ),
    refused("Parquet cut short", DAMAGED, lambda first: _parquet()(first)[:-9]),
    refused("Parquet without its beginning", "lacks the columns", lambda first: _parquet()(first)[9:]),
    refused("the first bytes of Parquet", DAMAGED, lambda _: b"PAR1"),
    refused("Parquet of nothing but its marks", DAMAGED, lambda _: b"PAR1" + bytes(64) + b"PAR1"),
    refused(
        "Parquet whose footer is longer than it",
        DAMAGED,
        lambda first: _parquet()(first)[:-8] + b"\xff\xff\xff\x7fPAR1",
    ),
)


def _mostly_bad(first: int) -> bytes:
    return written(response(*(posting(first + n, "" if n < 60 else "Smelter") for n in range(100))))


MOSTLY_BAD = (
    refused(
        "a page most of which is bad",
        r"60 of 100 records failed, most often position_title_present \(60\)",
        _mostly_bad,
    ),
    refused(
        "JSON lines that are all bad",
        r"30 of 30 records failed, most often missing \(30\)",
        lambda _: b"\n".join([json.dumps({"a": 1}).encode()] * 30),
    ),
    Case(
        "a small page that is all bad",
        lambda first: written(response(*(posting(first + n, "") for n in range(19)))),
        Quarantined(dict.fromkeys(range(19), "position_title_present")),
    ),
)

CASES = (*JSON_LINES, *TABLES, *PARQUET, *MOSTLY_BAD)
