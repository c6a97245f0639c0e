"""The `smelt` command. Its subcommands are imported when they are called: `services.ops.cli.lazy_group`."""

import os
import sys
from pathlib import Path
from typing import Annotated, ClassVar, NoReturn

import typer

from services.ops.cli.lazy_group import LazyCommand, LazyGroup
from shared import plugins
from shared.version import VERSION

OWN_COMMANDS = (
    LazyCommand(
        "datasets", "services.ops.datasets.cli:datasets_commands", "Datasets: their contracts and their tables."
    ),
    LazyCommand("runs", "services.ops.runs.cli:runs_commands", "Runs: start, list and show them."),
    LazyCommand(
        "upload",
        "services.ops.uploads.cli:upload",
        "Upload a file to be loaded. Any S3 client can do the same.",
    ),
    LazyCommand("reconcile", "services.ops.reconcile.cli:reconcile", "Compare the bucket with the ledger."),
    LazyCommand(
        "lineage", "services.ops.lineage.cli:lineage", "Show where a row comes from, or the status of an object."
    ),
    LazyCommand(
        "reprocess",
        "services.ops.reconcile.reprocess_cli:reprocess",
        "Send the events of objects in the bucket again, oldest first.",
    ),
    LazyCommand(
        "queues",
        "services.ops.queues.cli:queues",
        "Show the messages on each queue, rates, and dead letters.",
    ),
    LazyCommand(
        "workers", "services.ops.queues.cli:workers", "Show running worker processes and their current messages."
    ),
    LazyCommand(
        "top",
        "services.ops.queues.cli:top",
        "Show queues, pending retries and workers, live until Ctrl-C.",
    ),
    LazyCommand(
        "dlq",
        "services.ops.dlq.cli:dlq_commands",
        "Dead letters: messages that could not be processed, with the reason.",
    ),
    LazyCommand(
        "quarantine",
        "services.ops.quarantine.cli:quarantine_commands",
        "Records that were rejected: list them, and replay them after a fix.",
    ),
    LazyCommand(
        "drift",
        "services.ops.drift.cli:drift",
        "Show undeclared fields, vanished fields, changed types and undocumented values by run or upload.",
    ),
    LazyCommand(
        "schedules",
        "services.ops.schedules.cli:schedules_commands",
        "Schedules: runs that EventBridge Scheduler, or the emulator, starts.",
    ),
    LazyCommand(
        "check",
        "services.ops.health.cli:check",
        "Evaluate every alert rule and print one line per rule with a link to its runbook.",
    ),
    LazyCommand("db", "services.ops.database.cli:database_commands", "The database's schema."),
    LazyCommand(
        "worker", "services.ops.queues.worker_cli:worker", "Run one worker in the foreground until SIGTERM or Ctrl-C."
    ),
)


class Commands(LazyGroup):
    """The commands of the embedded stack, if installed, then those of services."""

    lazy_commands: ClassVar = {
        command.name: command for commands in (*plugins.load("smelt.commands"), OWN_COMMANDS) for command in commands
    }


app = typer.Typer(
    cls=Commands,
    help="From APIs and files into Postgres, with proof that nothing was lost.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - the option's value, as typer hands it over
    if wanted:
        sys.stdout.write(f"smelt {VERSION}\n")
        raise typer.Exit


@app.callback()
def smelt(
    *,
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
    home: Annotated[
        Path | None,
        typer.Option("--home", help="the folder of the stack on this machine; else SMELT_HOME, else .smelt here"),
    ] = None,
) -> None:
    """Global options."""
    from shared import telemetry

    telemetry.configure("cli", os.environ.get("SMELT_LOG_LEVEL", "WARNING"))
    if home is not None:
        os.environ["SMELT_HOME"] = str(home)


def main() -> NoReturn:
    """Run the command line. Expected errors are printed as one line, with exit code 1."""
    try:
        app(prog_name="smelt")
    except Exception as error:
        from services.ops.cli import failures
        from services.ops.cli.output import printable

        description = failures.describe(error)
        if description is None:
            raise
        sys.stderr.write(f"smelt: {printable(description)}\n")
        sys.exit(1)
    sys.exit(0)
