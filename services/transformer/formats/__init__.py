"""JSON documents, JSON lines, CSV and Parquet, told apart by how they begin."""

import io
from typing import Any

from services.transformer.bounds import Bounds
from services.transformer.content import Content
from services.transformer.formats import csv_rows, document, json_lines, parquet
from shared.datasets.contract import Raw
from shared.errors import PermanentError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
DOCUMENTS = (b"{", b"[", b"\xff\xfe", b"\xfe\xff")  # the marks of UTF-16 and UTF-32 are Windows'
LOOK = 1 << 16  # bytes of the beginning that are looked at


def read(stream: "io.BufferedReader[Any]", raw: Raw, bounds: Bounds) -> Content:
    """The content of a stream (see `expand`). Raises PermanentError where it is none of a format we know."""
    head = _head(stream)
    if not head:
        message = "the object is empty"
        raise PermanentError(message)
    if head.startswith(parquet.MAGIC):
        return parquet.read(stream)
    if not head.startswith(DOCUMENTS):
        return csv_rows.read(stream, raw, bounds)
    if json_lines.looks_like(head):
        return json_lines.read(stream, bounds)
    whole = _whole(stream, bounds.document)
    if json_lines.looks_like(whole):  # its first line is longer than what was looked at
        return json_lines.read(io.BufferedReader(io.BytesIO(whole)), bounds)
    return document.read(whole, raw)


def _head(stream: "io.BufferedReader[Any]") -> bytes:
    """How it begins, after a byte order mark and white space, of which there may be megabytes."""
    if stream.peek(LOOK).startswith(BYTE_ORDER_MARK):
        stream.read(len(BYTE_ORDER_MARK))
    while (head := stream.peek(LOOK)) and head[:1].isspace():
        stream.read(len(head) - len(head.lstrip()))
    return head


def _whole(stream: "io.BufferedReader[Any]", limit: int) -> bytes:
    """Grown as it is read: room for all that may come is memory that the system has to clear, page after page."""
    content = io.BytesIO()
    while chunk := stream.read(LOOK):
        content.write(chunk)
        if content.tell() > limit:
            message = f"a JSON document of more than {limit} bytes; JSON lines may be longer"
            raise PermanentError(message)
    return content.getvalue()
