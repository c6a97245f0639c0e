"""JSON lines: a record a line, of any number of lines."""

import io
from collections.abc import Iterator
from typing import Any

from services.transformer.content import Content, Encoded, unreadable
from services.transformer.input_limits import InputLimits
from shared import lenient_json

SKIP = 1 << 20  # bytes of a line too long that are passed over at a time
SAMPLE = 1_000  # lines


def is_object(line: bytes) -> bool:
    """Whether a line is a whole JSON object by itself."""
    if not line.strip().startswith(b"{"):
        return False
    try:
        lenient_json.loads(line)
    except ValueError:
        return False
    return True


def mostly(text: bytes) -> bool:
    """Whether at least half of the first lines are objects: then the others are damaged, and the file is JSON lines."""
    lines = [line for line in io.BytesIO(text[: SAMPLE * SKIP]) if line.strip()][:SAMPLE]
    objects = sum(map(is_object, lines))
    return bool(objects) and len(lines) > 1 and 2 * objects >= len(lines)


def read(stream: "io.BufferedReader[Any]", bounds: InputLimits, before: int = 0) -> Content:
    """Records as they are read; `before` lines of the file have been read."""
    return Content(_records(stream, bounds.record, before + 1))


def _records(stream: "io.BufferedReader[Any]", limit: int, first: int) -> Iterator[Encoded]:
    for number, (line, whole) in enumerate(lines(stream, limit), start=first):
        if not whole:
            yield unreadable("record_size", f"line {number} has more than {limit} bytes", line)
        elif line.strip():
            yield line.strip()


def lines(stream: "io.BufferedReader[Any]", limit: int) -> Iterator[tuple[bytes, bool]]:
    """(line, True), or the beginning of a line longer than `limit` bytes and False."""
    while line := stream.readline(limit + 1):
        whole = len(line) <= limit or line.endswith(b"\n")
        yield line, whole
        while not whole and not line.endswith(b"\n"):
            line = stream.readline(SKIP)
            whole = not line
