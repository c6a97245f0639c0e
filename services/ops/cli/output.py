"""What a person sees: one console for results, and text from outside made harmless."""

import json
import os
import sys

from rich.console import Console
from rich.markup import escape

PIPE_WIDTH = 200  # characters of a line for a program or a file, where nobody counts columns
_width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
out = Console(highlight=False, width=_width)


def say(line: str = "") -> None:
    """A line that may carry rich's markup; what comes from outside goes through `plain`."""
    out.print(line, soft_wrap=True)


def say_json(value: object) -> None:
    """One JSON object on a line, for programs."""
    sys.stdout.write(json.dumps(value, default=str) + "\n")


def plain(text: str) -> str:
    """Text from outside, harmless to markup and terminal: an object's key may hold anything."""
    return escape(printable(text))


def printable(text: str) -> str:
    """The same for a line that no markup is read from: what a terminal might obey is spelled out."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
