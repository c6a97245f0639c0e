"""Converts Avro to JSON lines and Arrow to Parquet, in a process of its own: what is damaged can end the process.

Says on standard output what is wrong with the file. Imports nothing of the project, so that it starts quickly.
"""

import json
import resource
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime, time
from typing import Any


def from_avro(source: str, target: str) -> None:
    """A line a record, with dates and decimals as texts."""
    import fastavro

    with open(source, "rb") as file, open(target, "w", encoding="utf-8") as lines:  # noqa: PTH123
        for record in fastavro.reader(file):
            json.dump(record, lines, default=_text, ensure_ascii=False)
            lines.write("\n")


def _text(value: Any) -> str:
    match value:
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                return f"\\x{value.hex()}"
        case datetime() | date() | time():
            return value.isoformat()
    return str(value)


def from_arrow_file(source: str, target: str) -> None:
    """The same columns in Parquet."""
    import polars as pl

    pl.scan_ipc(source).sink_parquet(target, compression="zstd")


def from_arrow_stream(source: str, target: str) -> None:
    """The same columns in Parquet. The stream is held in memory as a whole."""
    import polars as pl

    pl.read_ipc_stream(source, use_pyarrow=False).write_parquet(target, compression="zstd")


KINDS: Mapping[str, Callable[[str, str], None]] = {
    "Avro": from_avro,
    "Arrow": from_arrow_file,
    "Arrow stream": from_arrow_stream,
}


def main(kind: str, source: str, target: str, memory: str, size: str) -> None:
    """Convert within these limits, in bytes."""
    for limit, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, size)):
        with suppress(ValueError, OSError):  # not of every system
            resource.setrlimit(limit, (int(value), int(value)))
    try:
        KINDS[kind](source, target)
    except BaseException as error:  # noqa: BLE001 - polars' panics are no Exceptions
        print(f"{type(error).__name__}: {error}"[:500])  # noqa: T201 - its reader is waiting for it


if __name__ == "__main__":
    main(*sys.argv[1:])
