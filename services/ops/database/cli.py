"""`smelt db`: the database's schema."""

from dataclasses import replace
from typing import Annotated

import typer

from services.ops.cli.options import Json
from services.ops.cli.output import plain, say, say_json
from services.ops.connections import connect, database_url
from shared.database import migrate
from shared.database.upgrade import PATIENCE
from shared.database.upgrade import upgrade as run_migrations

database_commands = typer.Typer(help="The database's schema.", no_args_is_help=True)


@database_commands.command()
def upgrade(
    statement_timeout: Annotated[
        int, typer.Option(min=1, help="seconds that one statement of a migration may take")
    ] = PATIENCE.statement,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Bring the database to the schema that this version needs. Safe to run twice, and while workers are at work.

    A lock that cannot be had within seconds is tried for a minute: everything else would wait behind it.

    Example: smelt db upgrade
    """
    run_migrations(database_url(connect().settings), replace(PATIENCE, statement=statement_timeout))
    say_json({"missing": []}) if as_json else say("the schema is up to date")


@database_commands.command()
def check(as_json: Json = False) -> None:  # noqa: FBT002
    """Exit 1 if the database lacks a migration.

    Example: smelt db check
    """
    database = connect().database
    needed, later = sorted(migrate.missing(database)), sorted(migrate.ahead(database))
    if as_json:
        say_json({"missing": needed, "ahead": later})
    elif needed:
        say(f"missing: {', '.join(needed)}")
    elif later:
        say(f"the schema is that of a newer version, which serves this one, too: {plain(', '.join(later))}")
    else:
        say("the schema is up to date")
    if needed:
        raise typer.Exit(1)
