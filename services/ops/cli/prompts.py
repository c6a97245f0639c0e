"""Before something is done that cannot be undone, and when it is interrupted."""

import signal
import sys

import typer

from services.ops.cli.output import say

INTERRUPTED = 130  # exit code, as shells have it


def confirm(question: str, *, yes: bool) -> None:
    """Go on only with a yes. Where nobody can be asked, `--yes` must have said so: exit code 2."""
    if yes:
        return
    if not sys.stdin.isatty():
        message = f"{question} There is nobody to ask: say --yes (or --dry-run)"
        raise typer.BadParameter(message)
    if not typer.confirm(question, err=True):
        say("nothing was done")
        raise typer.Exit(1)


def stop_in_order() -> None:
    """From now on a SIGTERM, or a terminal that goes away, is like Ctrl-C: what is held is given back."""
    for word in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(word, signal.default_int_handler)
