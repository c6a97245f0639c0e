"""`smelt logs`: what the parts of the embedded stack have written."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from services.ops.cli.output import printable
from shared.config.local_stack import home
from shared.errors import PermanentError

PAUSE_SECONDS = 0.5  # between two looks for new lines
FIRST_FIELDS = ("timestamp", "level", "event")
TIMESTAMP = re.compile(r'"timestamp":"([^"]+)"')


@dataclass
class LogFile:
    """One log, read line by line from a position."""

    path: Path
    position: int = 0
    partial: bytes = b""
    timestamp: str = ""

    def lines(self) -> Iterator[tuple[str, str]]:
        """The complete lines since the last call, each with the last timestamp up to it."""
        if self.path.stat().st_size < self.position:
            self.position, self.partial = 0, b""  # rotated
        with self.path.open("rb") as log:
            log.seek(self.position)
            content = self.partial + log.read()
            self.position = log.tell()
        *complete, self.partial = content.split(b"\n")
        for line in (line.decode(errors="replace") for line in complete):
            match = TIMESTAMP.search(line)
            self.timestamp = match[1] if match else self.timestamp
            yield self.timestamp, line


def logs(
    service: Annotated[str, typer.Argument(help="a part, as `smelt status` names it, a service, or `supervisor`")],
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on with what comes, until Ctrl-C")] = False,
    trace: Annotated[str, typer.Option("--trace", metavar="ID", help="only lines of this trace")] = "",
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="how many of the last lines at first")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="print the lines as they were written")] = False,
) -> None:
    """Print the logs of a part of the embedded stack, or of all workers of a service.

    Example: smelt logs loader -f
    """
    files = [LogFile(path) for path in _paths(home() / "logs", service)]
    written = _read(files, trace)
    _print(written[max(0, len(written) - lines) :], as_json=as_json)
    try:
        while follow:
            time.sleep(PAUSE_SECONDS)
            _print(_read(files, trace), as_json=as_json)
    except KeyboardInterrupt:
        return


def _paths(folder: Path, service: str) -> list[Path]:
    known = {path.stem: path for path in sorted(folder.glob("*.log"))}
    paths = [path for name, path in known.items() if service in {name, name.rpartition("-")[0]}]
    if not paths:
        message = f"no log of {service!r}; there are: {', '.join(known) or 'none: start a stack with `smelt up`'}"
        raise PermanentError(message)
    return paths


def _read(files: list[LogFile], trace: str) -> list[str]:
    """New lines of all files that contain the trace id, in the order of their time."""
    stamped = [line for file in files for line in file.lines() if trace in line[1]]
    return [line for _, line in sorted(stamped, key=lambda line: line[0])]


def _print(written: list[str], *, as_json: bool) -> None:
    for line in written:
        typer.echo(line if as_json else printable(_readable(line)))


def _readable(line: str) -> str:
    """A line of ours with its time, level and event first; any other line as it is."""
    try:
        fields = json.loads(line)
        first = [str(fields.pop(name)) for name in FIRST_FIELDS]
    except (ValueError, KeyError, AttributeError, TypeError):
        return line
    return " ".join([*first, *(f"{name}={value}" for name, value in fields.items())])
