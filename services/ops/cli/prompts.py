"""Confirmation before changes, and signals that interrupt a command."""

import signal
import sys

import typer

from services.ops.cli.output import say

INTERRUPTED = 130  # exit code of shells after Ctrl-C


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation; exit unless confirmed. Without a terminal `--yes` is required, else the exit code is 2."""
    if yes:
        return
    if not sys.stdin.isatty():
        message = f"{question} Not a terminal: pass --yes to confirm (or --dry-run)"
        raise typer.BadParameter(message)
    if not typer.confirm(question, err=True):
        say("nothing was done")
        raise typer.Exit(1)


def stop_in_order() -> None:
    """Treat SIGTERM and SIGHUP like Ctrl-C, so that leased messages become visible again."""
    for word in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(word, signal.default_int_handler)
