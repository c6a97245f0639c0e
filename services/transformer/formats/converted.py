"""Avro and Arrow files: converted to a format of which records are read a slice at a time (`conversion`)."""

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from services.transformer.content import Content, Encoded
from services.transformer.formats import conversion, json_lines, parquet
from services.transformer.input_limits import InputLimits
from shared.datasets.dataset import Dataset
from shared.errors import PermanentError

# {first bytes: kind}. An Arrow stream begins with a continuation marker and the length of its schema.
KINDS = {b"Obj\x01": "Avro", b"ARROW1\x00\x00": "Arrow", b"\xff\xff\xff\xff": "Arrow stream"}
MEMORY = 4 << 30  # bytes of address space, of which polars reserves more than it uses


def kind_of(head: bytes) -> str | None:
    """The kind of a file that begins so; None for other formats."""
    return next((kind for magic, kind in KINDS.items() if head.startswith(magic)), None)


def read(stream: "io.BufferedReader[Any]", kind: str, dataset: Dataset, bounds: InputLimits) -> Content:
    """Records as they are read. Raises PermanentError for what is damaged or too large."""
    if kind == "Avro":
        return Content(_lines(_converted(stream, kind, bounds), bounds))
    with as_readable(stream, kind, bounds) as file:
        return parquet.read(file, dataset)  # which copies it


def _lines(file: IO[bytes], bounds: InputLimits) -> Iterator[Encoded]:
    with file, io.BufferedReader(io.FileIO(file.name)) as reader:
        yield from json_lines.read(reader, bounds).records


@contextmanager
def as_readable(stream: "io.BufferedReader[Any]", kind: str, bounds: InputLimits) -> Iterator["io.BufferedReader[Any]"]:
    """JSON lines of Avro, Parquet of Arrow."""
    with _converted(stream, kind, bounds) as file, io.BufferedReader(io.FileIO(file.name)) as reader:
        yield reader


def _converted(stream: "io.BufferedReader[Any]", kind: str, bounds: InputLimits) -> IO[bytes]:
    """A temporary file that is deleted when closed."""
    target = tempfile.NamedTemporaryFile(prefix="smelt-")  # noqa: SIM115 - closed with the last record
    try:
        with tempfile.NamedTemporaryFile(prefix="smelt-") as source:
            shutil.copyfileobj(stream, source)
            source.flush()
            _refuse_long(kind, source.tell(), bounds)
            _convert(kind, source.name, target.name, bounds)
    except BaseException:
        target.close()
        raise
    return target


def _refuse_long(kind: str, size: int, bounds: InputLimits) -> None:
    if kind == "Arrow stream" and size > bounds.document:
        message = f"an Arrow stream of more than {bounds.document} bytes; an Arrow file may be longer"
        raise PermanentError(message)


def _convert(kind: str, source: str, target: str, bounds: InputLimits) -> None:
    command = [sys.executable, "-P", conversion.__file__, kind, source, target, str(MEMORY), str(bounds.expanded)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - paths of our own
    problem = f"its reader ended with {done.returncode}" if done.returncode else done.stdout.strip()
    if problem:
        message = f"a damaged {kind} file, or one too large: {problem}"
        raise PermanentError(message)
