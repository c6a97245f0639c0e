"""Damaged files: whatever was cut out, repeated, put in or changed, nothing is lost and nothing is invented.

What a file holds is counted here by other means than the project's own. `SMELT_TEST_DAMAGED_FILES` sets how many files
of each format are tried.
"""

import csv
import io
import json
import os
import random
import re
import signal
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import polars as pl
import pytest

from services.transformer import formats
from services.transformer.content import Encoded, Unreadable
from services.transformer.decompress import verified
from services.transformer.input_limits import InputLimits
from shared.datasets import registry
from shared.errors import PermanentError

FILES = int(os.environ.get("SMELT_TEST_DAMAGED_FILES", "400"))
SECONDS = 60  # what takes longer hangs, however busy the machine is
BOUNDS = InputLimits(stored=1 << 20, expanded=1 << 20, document=1 << 16, record=2_000, nesting=64)
RAW = registry.dataset("reference_table")
HEADER = ("list", "code", "label", "valid_from", "valid_to")
PLACE = re.compile(r"byte|its footer|line|rows? \d|column|the object is empty|this is |list of records at")
PHANTOM = "PHANTOM"  # the code of what looks like a record and is inside of a text
BLANKS = b" \t\r\n"


def read(body: bytes) -> list[Encoded]:
    """The records of an upload, all of them."""
    stream = verified(io.BufferedReader(io.BytesIO(body)), BOUNDS.expanded)
    return list(formats.read_upload(stream, RAW, BOUNDS).records)


def outcome(body: bytes) -> tuple[list[Encoded], str]:
    """The records, or why there are none."""
    try:
        return read(body), ""
    except PermanentError as error:
        return [], str(error)


@contextmanager
def time_limit() -> Iterator[None]:
    """Fails what hangs."""

    def over(_signal: int, _frame: types.FrameType | None) -> None:
        message = f"more than {SECONDS} s"
        raise TimeoutError(message)

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# Good files


def table(rng: random.Random) -> list[dict[str, str]]:
    """Records with texts that formats have to quote; some hold lines that look like records."""
    texts: list[Callable[[int], str]] = [
        lambda n: f"label {n}",
        lambda n: f"a, b and {n}",
        lambda n: f'he said "{n}"',
        lambda n: f"two lines\nof {n}",
        lambda n: f"list:\nx,{PHANTOM}-{n},phantom,,\nend",
        lambda n: f'list:\nx,{PHANTOM}-{n},"phantom, {n}",,\n',
        lambda n: f"caf\u00e9 {n}",
        lambda _: "",
    ]
    return [
        {"list": "x", "code": str(n), "label": rng.choice(texts)(n), "valid_from": "2024-01-01", "valid_to": ""}
        for n in range(rng.randint(1, 12))
    ]


def as_csv(rng: random.Random) -> bytes:
    """With a header."""
    text = io.StringIO()
    quoting: Literal[0, 1] = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    writer = csv.DictWriter(text, HEADER, lineterminator=rng.choice(["\n", "\r\n"]), quoting=quoting)
    writer.writeheader()
    writer.writerows(table(rng))
    return text.getvalue().encode()


def as_json(rng: random.Random) -> bytes:
    """A list."""
    return json.dumps(table(rng), indent=rng.choice([None, 1]), ensure_ascii=False).encode()


def as_json_lines(rng: random.Random) -> bytes:
    """A record a line."""
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in table(rng))


def as_parquet(rng: random.Random) -> bytes:
    """In row groups of a few rows."""
    buffer = io.BytesIO()
    pl.DataFrame(table(rng)).write_parquet(buffer, row_group_size=5)
    return buffer.getvalue()


def damaged(body: bytes, rng: random.Random) -> bytes:
    """Cut, repeated, inserted or flipped, up to three times."""
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        start, end = sorted(rng.randrange(len(body) + 1) for _ in range(2))
        some = bytes(rng.choice(b'"\n\r,;{}[]\\:\x00\xff x1') for _ in range(rng.randint(1, 3)))
        body = rng.choice(
            [
                body[:end],
                body[:start] + body[end:],
                body[:end] + body[start:],
                body[:start] + some + body[start:],
                body[:start] + some + body[start + len(some) :],
                body[:start] + bytes([body[start] ^ 1 << rng.randrange(8)]) + body[start + 1 :]
                if start < len(body)
                else body,
            ]
        )
    return body


# What must be true of any file


def check_csv(body: bytes, records: list[Encoded]) -> None:
    """Every line after the header is in one row, of which the values stand there, or in one entry, with its text."""
    lines = dict(enumerate(body.split(b"\n"), start=1))
    for record in records:
        if isinstance(record, Unreadable):
            found = re.match(r"lines? (\d+)(?: to (\d+))?", record.problem.message)
            assert found, record.problem.message
            texts = [lines.pop(n) for n in range(int(found[1]), int(found[2] or found[1]) + 1) if n in lines]
            assert b"".join(record.text.split()) == b"".join(b"".join(texts).split())
    remaining = list(lines.values())
    delimiter = pop_header(remaining)
    rows = [json.loads(record) for record in records if isinstance(record, bytes)]
    for row in rows:
        taken: list[bytes] = []
        while not taken or values_of(taken, delimiter) != [list(row.values())]:
            assert remaining, f"{row} does not stand in the file"
            line = remaining.pop(0)
            taken += [line] if taken or line.strip(b"\r") else []
    assert b"".join(remaining).strip(b"\r") == b""
    read_by_csv = {
        value for row in csv.reader(io.StringIO(body.decode(errors="replace").replace("\r", ""))) for value in row[1:2]
    }
    assert [row["code"] for row in rows if PHANTOM in row["code"] and row["code"] not in read_by_csv] == []


def pop_header(lines: list[bytes]) -> str:
    """Take the header away, and what is above it; the delimiter."""
    for n in range(len(lines)):
        for size in range(1, 9):
            for delimiter in ",;\t|":
                (names, *more) = values_of(lines[n : n + size], delimiter) or [[]]
                if {"list", "code"} <= {name.strip().strip("\ufeff").casefold() for name in names} and not more:
                    del lines[: n + size]
                    return delimiter
    raise AssertionError


def values_of(lines: list[bytes], delimiter: str) -> list[list[str]]:
    """As the csv module reads them; nothing if it cannot."""
    text = b"\n".join(lines).decode(errors="surrogateescape")
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row]
    except csv.Error:
        return []


def check_json(body: bytes, records: list[Encoded]) -> None:
    """As lines, each is one record; as a document, there is nothing round the records but brackets and commas."""
    assert is_each_line(body, records) or is_list(body, records), records


def is_each_line(body: bytes, records: list[Encoded]) -> bool:
    """Whether each line with something in it is a record."""
    lines = [line.strip() for line in body.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    texts = [record.text if isinstance(record, Unreadable) else record for record in records]
    return len(lines) == len(texts) and all(
        line.startswith(text.strip()) for line, text in zip(lines, texts, strict=True)
    )


def is_list(body: bytes, records: list[Encoded]) -> bool:
    """Whether the records, in their order, and what a list has between them are all that is there."""
    texts = [record for record in records if isinstance(record, bytes)]
    rest, between = body, []
    for text in texts:
        before, found, rest = rest.partition(text)
        between.append(before.strip(BLANKS) if found else b"?")
    bare = rest.strip(BLANKS)
    if len(records) == 1 and between == [b""] and not bare:
        return True  # a document that is a record
    return [*between, bare] == [b"[", *[b","] * (len(texts) - 1), b"]"] or (
        not texts and body.split() in ([b"[]"], [b"[", b"]"])
    )


def check_parquet(body: bytes, records: list[Encoded]) -> None:
    """As many as the footer says."""
    assert len(records) == pl.scan_parquet(io.BytesIO(body)).select(pl.len()).collect().item()


FORMATS: dict[str, tuple[Callable[[random.Random], bytes], Callable[[bytes, list[Encoded]], None]]] = {
    "csv": (as_csv, check_csv),
    "json": (as_json, check_json),
    "jsonl": (as_json_lines, check_json),
    "parquet": (as_parquet, check_parquet),
}


@pytest.mark.parametrize("name", FORMATS)
def test_of_a_damaged_file_every_record_is_accounted_for_or_the_file_is_refused_with_the_place(name: str) -> None:
    make, check = FORMATS[name]
    refused = 0
    files = FILES // 20 if name == "parquet" else FILES  # each starts a process
    for seed in range(files):
        rng = random.Random(f"{name}/{seed}")
        body = damaged(make(rng), rng)
        with time_limit():
            records, reason = outcome(body)
            if reason:
                refused += 1
                assert PLACE.search(reason), (seed, reason)
                continue
            try:
                check(body, records)
            except AssertionError as error:
                message = f"{name}/{seed}: {error}\n{body!r}\n{records}"
                raise AssertionError(message) from error
    assert refused < files * 0.9


@pytest.mark.usefixtures("parquet_checked_in_process")
@pytest.mark.parametrize("name", FORMATS)
def test_a_good_file_is_read_in_full(name: str) -> None:
    for seed in range(20):
        rng = random.Random(f"{name}/{seed}")
        expected = table(random.Random(f"{name}/{seed}/table"))
        assert expected
        records = read(FORMATS[name][0](rng))
        assert all(isinstance(record, bytes) and PHANTOM not in json.loads(record)["code"] for record in records)
