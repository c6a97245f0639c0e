"""`smelt db`: the database's schema."""

import typer

from services.ops.commands.terminal import say
from services.ops.connections import connect
from shared.database import migrate

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.command()
def upgrade() -> None:
    """Bring the database to the schema that this version needs. Safe to run twice.

    Example: smelt db upgrade
    """
    settings = connect().settings
    if settings.database_url:
        migrate.upgrade(settings.database_url.get_secret_value())
        say("the schema is up to date")


@app.command()
def check() -> None:
    """Exit 1 if the database lacks a migration.

    Example: smelt db check
    """
    needed = migrate.missing(connect().database)
    if needed:
        say(f"missing: {', '.join(sorted(needed))}")
        raise typer.Exit(1)
    say("the schema is up to date")
