"""Output to the terminal, with untrusted text escaped."""

import json
import os
import sys

from rich.console import Console
from rich.markup import escape
from rich.table import Table

PIPE_WIDTH = 200  # width of output to a pipe or file
_width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
out = Console(highlight=False, width=_width)


def table(*headers: str, header_style: str = "") -> Table:
    """A table whose cells wrap: an id that is cut cannot be copied into the next command."""
    made = Table(box=None, pad_edge=False, header_style=header_style)
    for header in headers:
        made.add_column(header, overflow="fold")
    return made


def say(line: str = "") -> None:
    """Print a line with rich markup; untrusted text must be escaped with `plain`."""
    out.print(line, soft_wrap=True)


def say_json(value: object) -> None:
    """Print one JSON object on a line."""
    sys.stdout.write(json.dumps(value, default=str) + "\n")


def plain(text: str) -> str:
    """Escape markup and control characters of untrusted text, such as object keys."""
    return escape(printable(text))


def printable(text: str) -> str:
    """Escape control characters only, for output without markup."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
