"""JSON lines: a record a line, of any number of lines."""

import io
from collections.abc import Iterator
from typing import Any

from services.transformer.bounds import Bounds
from services.transformer.content import Content, Encoded, unreadable

SKIP = 1 << 20  # bytes of a line too long that are passed over at a time


def looks_like(head: bytes) -> bool:
    """Whether the first line is a whole object with more to come; a document's first line is open, or its only one."""
    first, newline, rest = head.partition(b"\n")
    return bool(newline and rest.strip()) and first.strip().startswith(b"{") and first.strip().endswith(b"}")


def read(stream: "io.BufferedReader[Any]", bounds: Bounds) -> Content:
    """Records as they are read."""
    return Content(_records(stream, bounds.record))


def _records(stream: "io.BufferedReader[Any]", limit: int) -> Iterator[Encoded]:
    for line, whole in lines(stream, limit):
        if not whole:
            yield unreadable("record_size", f"a line of more than {limit} bytes", line)
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
