"""Migrations: `ops` has its own, datasets and services have theirs in their folders; Alembic runs them all."""

import re
from argparse import Namespace
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, make_url

from shared.database.engine import SILENCE
from shared.datasets import contract
from shared.errors import PermanentError

HERE = Path(__file__).parent
SERVICES = HERE.parents[1] / "services"  # found by path: the ground floor imports no wing
BEFORE_RELEASE = re.compile(r".+_[0-9]{4}")  # revisions of development versions; those of releases have three digits
VERSION_TABLE = {"version_table": "migration", "version_table_schema": "ops"}


def configuration(url: str = "") -> Config:
    """Alembic's configuration, without a file: our versions, those of every dataset and those of services."""
    config = Config()
    own, of_services = HERE / "migrations" / "versions", sorted(SERVICES.glob("*/migrations"))
    folders = [own, *(_folder(name) for name in contract.names()), *of_services]
    config.set_main_option("script_location", str(HERE / "migrations"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("file_template", "%%(rev)s")
    config.set_main_option("version_locations", "\n".join(str(folder) for folder in folders))
    config.attributes["url"] = url
    return config


def generate(url: str, dataset: str) -> Path:
    """Write the migration that brings the tables of a dataset from what the database has to what `tables.py` says.

    Read what was written before keeping it. Raises PermanentError where the database is not at the newest schema.
    """
    folder = _folder(dataset)
    folder.mkdir(exist_ok=True)
    config, first = configuration(url), not any(folder.glob("*.py"))
    config.cmd_opts = Namespace(quiet=True)
    tables = contract.tables(dataset)
    config.attributes["tables"] = {table.name for table in (tables.ROOT, *tables.CHILDREN, tables.LAST_SEEN)}
    if absent := missing(engine_of(url)):
        message = f"the database lacks migrations {', '.join(sorted(absent))}: run `smelt db upgrade` first"
        raise PermanentError(message)
    command.revision(
        config,
        message=f"Tables of {dataset}",
        autogenerate=True,
        head="base" if first else f"{dataset}@head",
        branch_label=dataset if first else None,
        splice=first,
        version_path=str(folder),
        rev_id=f"{dataset}_{len(list(folder.glob('*.py'))) + 1:03d}",
    )
    return max(folder.glob("*.py"))


def missing(engine: Engine) -> set[str]:
    """Names of the migrations that the code needs and the database does not have.

    One that this code does not know comes from a newer version, and after all those of its branch that it does know:
    they are numbered. Whatever a newer version has changed still serves this one.
    """
    script, unknown = ScriptDirectory.from_config(configuration()), ahead(engine)
    known = tuple(head for head in _heads(engine) if head not in unknown)
    needed = set(script.get_heads()) - {found.revision for found in script.get_all_current(known)}
    return {one for one in needed if not any(_branch(one) == _branch(later) and one < later for later in unknown)}


def _heads(engine: Engine) -> tuple[str, ...]:
    with engine.connect() as connection:
        return MigrationContext.configure(connection, opts=VERSION_TABLE).get_current_heads()


def ahead(engine: Engine) -> set[str]:
    """Migrations that the database has and this code does not know.

    Raises PermanentError for a database of a development version, which nothing can upgrade.
    """
    known = {one.revision for one in ScriptDirectory.from_config(configuration()).walk_revisions()}
    unknown = set(_heads(engine)) - known
    if old := sorted(filter(BEFORE_RELEASE.fullmatch, unknown)):
        message = (
            f"this database was made by a development version of smelt ({', '.join(old)}) and cannot be upgraded:"
            " create an empty one and load it again from the bucket (docs/release.md)"
        )
        raise PermanentError(message)
    return unknown


def _branch(revision: str) -> str:
    return revision.rpartition("_")[0]


def engine_of(url: str) -> Engine:
    """An engine without the services' statement timeout: a migration takes what it takes, of a server that answers."""
    return create_engine(make_url(url).set(drivername="postgresql+psycopg2"), connect_args=dict(SILENCE))


def _folder(dataset: str) -> Path:
    return Path(contract.__file__).parent / dataset / "migrations"
