"""Alembic migrations of schema `ops`, of datasets and of services, each in their own folders."""

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
SERVICES = HERE.parents[1] / "services"  # by path, as shared may not import services
BEFORE_RELEASE = re.compile(r".+_[0-9]{4}")  # revisions of unreleased versions; released ones have three digits
VERSION_TABLE = {"version_table": "migration", "version_table_schema": "ops"}


def configuration(url: str = "") -> Config:
    """Alembic's configuration, with the version folders of ops, all datasets and services."""
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
    """Write a migration that brings a dataset's tables from their state in the database to that of `tables.py`.

    Review it before use. Raises PermanentError if the database is not up to date.
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
    """Migrations that the code needs and the database lacks.

    An unknown migration in the database is from a newer version and includes the earlier ones of its branch, which are
    numbered. Newer schemas remain compatible with this version.
    """
    script, unknown = ScriptDirectory.from_config(configuration()), ahead(engine)
    known_heads = tuple(head for head in _heads(engine) if head not in unknown)
    needed = set(script.get_heads()) - {
        script_revision.revision for script_revision in script.get_all_current(known_heads)
    }
    return {
        revision
        for revision in needed
        if not any(_branch(revision) == _branch(later) and revision < later for later in unknown)
    }


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


def _folder(dataset: str) -> Path:
    return Path(contract.__file__).parent / dataset / "migrations"
