"""`smelt up`, `down`, `status`, `env`: the embedded stack on this machine."""

import os
import shlex
import shutil
import signal
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from infra.embedded.cli.event_log import Narrator
from services.ops.cli.options import Json
from services.ops.cli.output import out, plain, say, say_json, table
from services.ops.connections import Connections, connect
from services.ops.overview import row_counts
from services.ops.reconcile import reconciliation
from services.ops.runs import runs
from services.ops.runs.cli_watch import say_outcome, watch_run
from shared.config.local_stack import home
from shared.datasets import registry

if TYPE_CHECKING:
    from infra.embedded.stack import Running

FIRST_RUN_TIMEOUT = 900  # s


def up(  # noqa: PLR0913, PLR0917 - the options of a command
    detach: Annotated[bool, typer.Option("--detach", help="return once it runs; stop it with `smelt down`")] = False,  # noqa: FBT002
    extractors: Annotated[int, typer.Option(min=0, help="how many extractor processes")] = 1,
    transformers: Annotated[int, typer.Option(min=0, help="how many transformer processes")] = 1,
    uploads: Annotated[int, typer.Option(min=0, help="how many transformer processes for uploaded files")] = 1,
    loaders: Annotated[int, typer.Option(min=0, help="how many loader processes")] = 1,
    records: Annotated[int, typer.Option(min=1, help="records that the simulated source offers")] = 3_000,
    first_run: Annotated[bool, typer.Option(help="extract once if nothing was ever extracted")] = True,  # noqa: FBT002
) -> None:
    """Start everything on this machine: Postgres, Valkey, an AWS emulator, workers, console, search page.

    Example: smelt up --detach
    """
    from infra.embedded import restart as restart_parts
    from infra.embedded import stack
    from infra.embedded.errors import AlreadyRunning
    from infra.embedded.options import Options

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    workers = Options(extractors=extractors, transformers=transformers, uploads=uploads, loaders=loaders)
    options = replace(workers, simulator_postings=records, serving=True)
    with out.status("starting Postgres, Valkey, the AWS emulator, the workers, the console and the search page"):
        try:
            running = stack.start(home(), options, detached=detach)
        except AlreadyRunning:
            if not (names := restart_parts.mend(home())):
                raise
            say(f"a stack is running already; started what did not run: {', '.join(names)}")
            return
    for note in running.notes:
        say(plain(note))
    try:
        os.environ.update(running.environment)
        connections = connect()
        _welcome(connections, running, first_run=first_run)
        if not detach:
            _stay(connections, running)
    except KeyboardInterrupt:
        _stop()
    except BaseException:
        if not detach:  # nobody would look after it
            _stop()
        raise


def down() -> None:
    """Stop the embedded stack; its data stays.

    Example: smelt down
    """
    _stop()


def status(as_json: Json = False) -> None:  # noqa: FBT002
    """Show the parts of the embedded stack. Exit 0 only if all of them run.

    Example: smelt status
    """
    from infra.embedded import stack

    parts = [part for part in (stack.supervisor_status(home()), *stack.status(home())) if part]
    if as_json:
        say_json({"parts": [asdict(part) for part in parts]})
    else:
        rows = table("part", "state", "pid", "port", "")
        for part in parts:
            rows.add_row(part.name, part.state, str(part.pid or ""), str(part.port or ""), plain(part.detail))
        out.print(rows if parts else "nothing was ever started here: `smelt up`")
    if not parts or any(part.state != "running" for part in parts):
        raise typer.Exit(1)


def restart(
    name: Annotated[str, typer.Argument(help="a part, as `smelt status` names it, or a service")],
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Stop a part of the embedded stack and start it again; what it works on is given back first.

    Example: smelt restart loader
    """
    from infra.embedded import restart as restart_parts

    names = restart_parts.matching(home(), name)
    with out.status(f"restarting {', '.join(names)}"):
        restart_parts.restart(home(), names)
    say_json({"restarted": names}) if as_json else say(f"restarted {', '.join(names)}")


def env(as_json: Json = False) -> None:  # noqa: FBT002
    """Print the environment of the running stack as `export` lines, for psql, aws, boto3 and the workers.

    Example: eval "$(smelt env)" && psql "$SMELT_DATABASE_URL"
    """
    from infra.embedded import stack

    environment = stack.environment(home())
    if as_json:
        say_json(environment)
        return
    for name, value in environment.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


def _welcome(connections: Connections, running: "Running", *, first_run: bool) -> None:
    """Make whole what a crash took, extract once if nothing was ever extracted, and say what is there."""
    if running.may_lack_events:
        _repair(connections)
    for dataset, params in registry.first_runs().items() if first_run else ():
        _first_run(connections, dataset, params)
    with connections.database.connect() as connection:
        out.print(_table_of_rows(row_counts.rows(connection)))
    say("console   {SMELT_CONSOLE_URL}/?token={SMELT_CONSOLE_TOKEN}".format(**running.environment))
    say(f"search    {running.environment['SMELT_SERVING_URL']}")
    _say_what_next()


def _table_of_rows(rows_by_dataset: dict[str, dict[str, int]]) -> Table:
    rows_by_table = table("table", "rows")
    rows_by_table.columns[1].justify = "right"
    for counts in rows_by_dataset.values():
        for name, rows in counts.items():
            rows_by_table.add_row(name, f"{rows:,}")
    return rows_by_table


def _say_what_next() -> None:
    smelt = _program()
    *_, dataset = registry.first_runs()
    say(f"""database  eval "$({smelt} env)" && psql "$SMELT_DATABASE_URL"

Try next
  look        open the console, and the search page, in a browser
  extract     {smelt} runs start {dataset} --wait
  upload      {smelt} upload FILE {dataset}
              or with any S3 client: a file under s3://$SMELT_BUCKET/uploads/{dataset}/ is loaded
  break       kill a worker or the database (pids: {smelt} status) while a run goes on, and see nothing lost""")


def _program() -> str:
    """How this user calls smelt: by name where that is this program, else by its path."""
    path = sys.argv[0]
    name = Path(path).name
    return name if shutil.which(name) == path else min(path, os.path.relpath(path), key=len)


def _first_run(connections: Connections, dataset: str, params: dict[str, str]) -> None:
    with connections.database.connect() as connection:
        if any(run.dataset == dataset and run.completed_at for run in runs.find_latest(connection, most=1_000)):
            return
    say(f"first extraction of {dataset}")
    run_id = runs.start(connections, dataset, params)
    say_outcome(watch_run(runs.follow(connections, run_id, FIRST_RUN_TIMEOUT)))


def _repair(connections: Connections) -> None:
    _say_repaired(reconciliation.repair(connections, reconciliation.find_missing(connections)))


def _say_repaired(messages: int) -> None:
    say(f"the emulator was killed: reconciliation sent {messages} messages again")


def _stay(connections: Connections, running: "Running") -> None:
    from infra.embedded import supervisor
    from infra.embedded.cli import repair
    from infra.embedded.supervisor import Incident

    def tell(incident: Incident) -> None:
        say(f"[yellow]{plain(str(incident))}[/yellow]")
        if incident.may_lack_events:
            repair.in_background(_say_repaired)

    say("\nWorking on whatever arrives, until Ctrl-C.")
    threading.Thread(target=Narrator(connections).stay, daemon=True).start()
    _say_killed(supervisor.supervise(running, tell))


def _stop() -> None:
    from infra.embedded import stack

    with out.status("stopping"):
        killed = stack.stop(home())
    _say_killed(killed)


def _say_killed(killed: list[str]) -> None:
    say("stopped" + (f"; had to kill {', '.join(killed)}" if killed else ""))
