"""`smelt db`: the database's schema."""

from typing import Annotated

import typer

from services.ops.commands.terminal import plain, say
from services.ops.connections import connect
from shared.database import migrate
from shared.datasets import contract
from shared.errors import PermanentError

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.command()
def upgrade() -> None:
    """Bring the database to the schema that this version needs. Safe to run twice.

    Example: smelt db upgrade
    """
    migrate.upgrade(_url())
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


@app.command()
def revision(
    dataset: Annotated[str, typer.Argument(help="the dataset whose tables.py has changed, or is new")],
) -> None:
    """Write the migration for a dataset's tables into its folder, for developers; read it before you keep it.

    Example: smelt db revision DATASET
    """
    contract.check_name(dataset)
    say(plain(str(migrate.generate(_url(), dataset))))


def _url() -> str:
    url = connect().settings.database_url
    if url is None:
        message = "SMELT_DATABASE_URL is not set"
        raise PermanentError(message)
    return url.get_secret_value()
