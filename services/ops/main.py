"""The `smelt` command."""

import os
import sys
from typing import Annotated, NoReturn

import typer
from botocore.exceptions import BotoCoreError, ClientError
from redis import RedisError
from sqlalchemy.exc import DBAPIError

from services.ops.cli.output import printable
from services.ops.database.cli import database_commands
from services.ops.datasets.cli import datasets_commands
from services.ops.dlq.cli import dlq_commands
from services.ops.drift.cli import drift
from services.ops.health.cli import check
from services.ops.lineage.cli import lineage
from services.ops.quarantine.cli import quarantine_commands
from services.ops.queues.cli import queues, top, workers
from services.ops.reconcile.cli import reconcile
from services.ops.reconcile.reprocess_cli import reprocess
from services.ops.runs.cli import runs_commands
from services.ops.schedules.cli import schedules_commands
from services.ops.uploads.cli import upload
from shared import plugins, telemetry
from shared.config.topology import QUEUES, queue_of
from shared.errors import PermanentError, TransientError
from shared.version import VERSION

SERVICES = [queue.service for queue in QUEUES]

app = typer.Typer(
    help="From APIs and files into Postgres, with proof that nothing was lost.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer passes the value positionally
    if wanted:
        sys.stdout.write(f"smelt {VERSION}\n")
        raise typer.Exit


@app.callback()
def smelt(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Global options."""


for register in plugins.load("smelt.commands"):  # of the embedded stack, if installed
    register(app)
app.add_typer(datasets_commands, name="datasets")
app.add_typer(runs_commands, name="runs")
app.command()(upload)
app.command()(reconcile)
app.command()(lineage)
app.command()(reprocess)
app.command()(queues)
app.command()(workers)
app.command()(top)
app.add_typer(dlq_commands, name="dlq")
app.add_typer(quarantine_commands, name="quarantine")
app.command()(drift)
app.add_typer(schedules_commands, name="schedules")
app.command()(check)
app.add_typer(database_commands, name="db")


@app.command()
def worker(service: Annotated[str, typer.Argument(help=", ".join(SERVICES), autocompletion=lambda: SERVICES)]) -> None:
    """Run one worker in the foreground until SIGTERM or Ctrl-C.

    Example: eval "$(smelt env)" && smelt worker loader
    """
    if service not in SERVICES:
        message = f"no service {service!r}; known: {', '.join(SERVICES)}"
        raise PermanentError(message)
    os.execv(sys.executable, [sys.executable, "-m", queue_of(service).module])  # noqa: S606 - the running interpreter


def main() -> NoReturn:
    """Run the command line. Expected errors are printed as one line, with exit code 1."""
    telemetry.configure("cli", os.environ.get("SMELT_LOG_LEVEL", "WARNING"))
    try:
        app(prog_name="smelt")
    except (PermanentError, TransientError) as error:
        _fail(str(error))
    except (BotoCoreError, ClientError) as error:
        _fail(f"AWS: {error}")
    except RedisError as error:
        _fail(f"Redis: {error}")
    except DBAPIError as error:
        _fail(f"Postgres: {str(error.orig).strip().splitlines()[0]}")
    sys.exit(0)


def _fail(message: str) -> NoReturn:
    sys.stderr.write(f"smelt: {printable(message)}\n")
    sys.exit(1)
