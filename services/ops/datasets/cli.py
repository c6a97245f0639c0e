"""`smelt datasets`: which there are, what their contracts say, and their tables."""

from dataclasses import asdict
from typing import Annotated, ClassVar

import typer
from rich.table import Table

from services.ops.cli.lazy_group import LazyGroup
from services.ops.cli.options import DryRun, Json
from services.ops.cli.output import out, plain, say, say_json
from services.ops.connections import connect, database_url
from services.ops.datasets import model, state_cli
from shared import plugins
from shared.database import upgrade
from shared.datasets import consistency, registry
from shared.errors import PermanentError


class Commands(LazyGroup):
    """Those of this module, then those of packages that are installed on one machine only."""

    lazy_commands: ClassVar = {
        command.name: command for commands in plugins.load("smelt.datasets_commands") for command in commands
    }


datasets_commands = typer.Typer(cls=Commands, help="Datasets: their contracts and their tables.", no_args_is_help=True)
datasets_commands.command("state")(state_cli.state)
Name = Annotated[str, typer.Argument(help="the dataset", autocompletion=registry.names)]
OptionalName = Annotated[str | None, typer.Argument(help="only this one", autocompletion=registry.names)]


@datasets_commands.command("list")
def list_datasets(as_json: Json = False) -> None:  # noqa: FBT002
    """List the datasets of installed packages, and of the folders in SMELT_DATASETS.

    Example: smelt datasets list
    """
    summaries = [model.summary(name) for name in registry.names()]
    if as_json:
        say_json([asdict(summary) for summary in summaries])
        return
    table = Table("dataset", "version", "source", "tables", "contract", box=None, pad_edge=False, header_style="dim")
    for item in summaries:
        version = "-" if item.version is None else str(item.version)
        table.add_row(item.name, version, plain(item.source), ", ".join(item.tables), plain(item.path))
    out.print(table)


@datasets_commands.command("show")
def show_dataset(name: Name, as_json: Json = False) -> None:  # noqa: FBT002
    """Show a dataset's tables: each column, its type and the field that it comes from.

    Example: smelt datasets show DATASET
    """
    described = model.described(name)
    if as_json:
        say_json(described)
        return
    say(f"{name}, version {described['version']}: {plain(described['path'])}")
    for item in described["tables"]:
        table = Table(
            "column",
            "type",
            "",
            "field",
            box=None,
            pad_edge=False,
            header_style="dim",
            title=item["name"],
            title_justify="left",
        )
        for column in item["columns"]:
            marks = {
                "key": column["key"],
                "required": column["required"] and not column["key"],
                "withheld": column["withheld"],
            }
            mark = ", ".join(word for word, applies in marks.items() if applies)
            table.add_row(column["name"], column["type"], mark, plain(column["field"] or "computed"))
        out.print(table)


@datasets_commands.command()
def check(name: OptionalName = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Check contracts, and the code beside them, without a database. Exit 1 if one is wrong.

    Example: smelt datasets check
    """
    lines = [line for item in ([name] if name else registry.names()) for line in consistency.faults(item)]
    if as_json:
        say_json({"problems": lines})
    for line in () if as_json else lines or ["all contracts are in order"]:
        say(plain(line))
    if lines:
        raise typer.Exit(1)


@datasets_commands.command()
def apply(name: OptionalName = None, dry_run: DryRun = False, as_json: Json = False) -> None:  # noqa: FBT002
    """Bring the tables of datasets to what their contracts say: new tables and columns, wider types, comments, readers.

    What might lose values is refused, and then nothing is done. `smelt db upgrade` does the same for all datasets.

    Example: smelt datasets apply DATASET --dry-run
    """
    connections = connect()
    changes = model.pending(connections.database, [name] if name else list(registry.names()))
    refused = [change for change in changes if change.is_refused]
    if not dry_run and changes:
        upgrade.apply_datasets(database_url(connections.settings), [name] if name else None)
    if as_json:
        say_json([{"table": change.table, "change": change.text, "refused": change.is_refused} for change in changes])
    else:
        for change in changes:
            say(f"{'refused: ' if change.is_refused else ''}{plain(change.table)}: {plain(change.text)}")
        say(_outcome(len(changes), dry_run=dry_run))
    if refused:
        raise PermanentError("; ".join(f"{change.table}: {change.text}" for change in refused))


def _outcome(changes: int, *, dry_run: bool) -> str:
    if not changes:
        return "the tables are as the contracts say"
    return f"{changes} changes would be made" if dry_run else f"{changes} changes made"
