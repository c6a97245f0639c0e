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
SERVICES = HERE.parents[1] / "services"  # by path, as shared may not import services
BEFORE_RELEASE = re.compile(r".+_[0-9]{4}")  # revisions of unreleased versions; released ones have three digits
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
    """Migrations, and tables of datasets, that the code needs and the database lacks.

    An unknown migration in the database is from a newer version and includes the earlier ones of its branch, which are
    numbered. Newer schemas remain compatible with this version.
    """
    script, unknown = ScriptDirectory.from_config(configuration()), ahead(engine)
    known_heads = tuple(head for head in _heads(engine) if head not in unknown)
    needed = set(script.get_heads()) - {current.revision for current in script.get_all_current(known_heads)}
    absent = {head for head in needed if not any(_branch(head) == _branch(later) and head < later for later in unknown)}
    with engine.connect() as connection:
        return absent | {change.table for change in dataset_tables.changes(connection) if change.is_needed}


def _heads(engine: Engine) -> tuple[str, ...]:
    with engine.connect() as connection:
        return MigrationContext.configure(connection, opts=VERSION_TABLE).get_current_heads()


def ahead(engine: Engine) -> set[str]:
    """Migrations in the database that this code does not have.

    Raises PermanentError for a database of an unreleased version, which cannot be upgraded.
    """
    known_revisions = {
        script_revision.revision for script_revision in ScriptDirectory.from_config(configuration()).walk_revisions()
    }
    unknown = set(_heads(engine)) - known_revisions
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
    """An engine without statement timeout, for migrations; it still detects a silent server."""
    return create_engine(make_url(url).set(drivername="postgresql+psycopg2"), connect_args=dict(SILENCE))
