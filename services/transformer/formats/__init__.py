"""What a bronze object holds. Its key says who made it (ADR 33).

Pages and replays are ours, and are documents of ours. A file that somebody uploaded is what its content says.
"""

import io
from typing import Any

from services.transformer.content import Content
from services.transformer.decompress import decompressed, verified
from services.transformer.formats import converted, csv_rows, document, json_lines, parquet, workbook
from services.transformer.formats.foreign import refuse_foreign
from services.transformer.formats.key_parts import with_key_parts
from services.transformer.formats.prefixed import prefixed
from services.transformer.formats.text_encoding import as_utf8
from services.transformer.input_limits import InputLimits
from shared.datasets.dataset import Dataset
from shared.errors import PermanentError
from shared.storage import object_keys

ENVELOPE = 1 << 20  # bytes of a page that are ours, beside the document that its source sent
LOOK = 1 << 16  # bytes read at a time
BRACKETS = (b"{", b"[")


def read(key: str, stored: "io.BufferedReader[Any]", dataset: Dataset, bounds: InputLimits) -> Content:
    """The content of an object with this key. Raises PermanentError for what is not what it must be."""
    if object_keys.is_upload(key):
        return with_key_parts(read_upload(verified(stored, bounds.expanded), dataset, bounds), key, dataset)
    stream = decompressed(stored, bounds.expanded)
    return read_replay(stream, bounds) if object_keys.is_replay(key) else read_page(stream, dataset, bounds)


def read_page(stream: "io.BufferedReader[Any]", dataset: Dataset, bounds: InputLimits) -> Content:
    """A page of a run, in the extractor's envelope."""
    return document.read_page(_whole(stream, bounds.document + ENVELOPE), dataset)


def read_replay(stream: "io.BufferedReader[Any]", bounds: InputLimits) -> Content:
    """Records that come back out of quarantine."""
    return document.read_replay(_whole(stream, bounds.document + ENVELOPE))


def read_upload(stream: "io.BufferedReader[Any]", dataset: Dataset, bounds: InputLimits) -> Content:
    """A file of any format that smelt reads, plain (see `expand`)."""
    head = stream.peek(LOOK)
    if head.startswith(workbook.MAGIC):
        return workbook.read(stream, dataset, bounds)
    if kind := converted.kind_of(head):
        return converted.read(stream, kind, dataset, bounds)
    refuse_foreign(head)
    if head.startswith(parquet.MAGIC):
        return parquet.read(stream, dataset)
    text = as_utf8(stream)
    blank, indent = _skip_space(text)
    first = text.readline(bounds.record + 1)
    if not first:
        message = "the object is empty"
        raise PermanentError(message)
    if first.startswith(BRACKETS):
        return _json(first, text, dataset, bounds, blank)
    second = _next_line(text, bounds)
    rest = prefixed(indent + first + second, text)
    if json_lines.is_object(second.strip()):
        return json_lines.read(rest, bounds, blank)
    return csv_rows.read(rest, dataset, bounds, blank)


def _json(first: bytes, text: "io.BufferedReader[Any]", dataset: Dataset, bounds: InputLimits, blank: int) -> Content:
    """Lines if the first of several is a record; else a document, unless most lines are records after all."""
    second = _next_line(text, bounds)
    if not second.strip():
        return _document(first, dataset, bounds, whole=True)
    documents = first.endswith(b"\n") and document.has_list(first, dataset)
    if not documents and json_lines.is_object(first):
        return json_lines.read(prefixed(first + second, text), bounds, blank)
    begin, ended = _beginning(prefixed(first + second, text), bounds.document)
    try:
        return _document(begin, dataset, bounds, whole=ended)
    except PermanentError:
        if json_lines.mostly(begin) and not documents:
            return json_lines.read(prefixed(begin, text), bounds, blank)
        raise


def _document(content: bytes, dataset: Dataset, bounds: InputLimits, *, whole: bool) -> Content:
    if not whole:
        message = f"a JSON document of more than {bounds.document} bytes; JSON lines may be longer"
        raise PermanentError(message)
    return document.read_upload(content, dataset)


def _next_line(text: "io.BufferedReader[Any]", bounds: InputLimits) -> bytes:
    """The next line with something in it, after the line ends before it, of which there may be megabytes."""
    before = b""
    while (line := text.readline(bounds.record + 1)) and not line.strip():
        before += line if len(before) < LOOK else b""
    return before + line


def _skip_space(stream: "io.BufferedReader[Any]") -> tuple[int, bytes]:
    """Pass over white space at the beginning, of which there may be megabytes.

    Returns how many lines it was, and what of it is in the first line that is not blank: in CSV, perhaps a delimiter.
    """
    lines, indent = 0, b""
    while (head := stream.peek(LOOK)) and head[:1].isspace():
        space = stream.read(len(head) - len(head.lstrip()))
        lines += space.count(b"\n")
        _, newline, rest = space.rpartition(b"\n")
        indent = rest if newline else (indent + rest)[:LOOK]
    return lines, indent


def _whole(stream: "io.BufferedReader[Any]", limit: int) -> bytes:
    content, ended = _beginning(stream, limit)
    if not ended:
        message = f"a JSON document of more than {limit} bytes"
        raise PermanentError(message)
    if not content.strip():
        message = "the object is empty"
        raise PermanentError(message)
    return content


def _beginning(stream: "io.BufferedReader[Any]", limit: int) -> tuple[bytes, bool]:
    """All of it, and True; or more than `limit` bytes of it, and False.

    Grown as it is read: room for all that may come is memory that the system has to clear, page after page.
    """
    content = io.BytesIO()
    while content.tell() <= limit and (chunk := stream.read(LOOK)):
        content.write(chunk)
    return content.getvalue(), content.tell() <= limit
