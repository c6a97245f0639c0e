"""Migrations: of `ops`, and of services in their folders. The tables of datasets follow their contracts."""

import re
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, make_url

from shared.database import dataset_tables
from shared.database.engine import SILENCE
from shared.errors import PermanentError

HERE = Path(__file__).parent
SERVICES = HERE.parents[1] / "services"  # found by path: the ground floor imports no wing
BEFORE_RELEASE = re.compile(r".+_[0-9]{4}")  # revisions of development versions; those of releases have three digits
MIGRATION_LOCK = "select pg_advisory_xact_lock(hashtext('smelt migrations'))"  # one migrator at a time
VERSION_TABLE = {"version_table": "migration", "version_table_schema": "ops"}


def configuration(url: str = "") -> Config:
    """Alembic's configuration, without a file: our versions and those of services."""
    config = Config()
    own, of_services = HERE / "migrations" / "versions", sorted(SERVICES.glob("*/migrations"))
    folders = [own, *of_services]
    config.set_main_option("script_location", str(HERE / "migrations"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("file_template", "%%(rev)s")
    config.set_main_option("version_locations", "\n".join(str(folder) for folder in folders))
    config.attributes["url"] = url
    return config


def missing(engine: Engine) -> set[str]:
    """Names of the migrations, and of the datasets' tables, that the code needs and the database does not have.

    One that this code does not know comes from a newer version, and after all those of its branch that it does know:
    they are numbered. Whatever a newer version has changed still serves this one.
    """
    script, unknown = ScriptDirectory.from_config(configuration()), ahead(engine)
    known = tuple(head for head in _heads(engine) if head not in unknown)
    needed = set(script.get_heads()) - {found.revision for found in script.get_all_current(known)}
    absent = {one for one in needed if not any(_branch(one) == _branch(later) and one < later for later in unknown)}
    with engine.connect() as connection:
        return absent | {change.table for change in dataset_tables.changes(connection) if change.is_needed}


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
