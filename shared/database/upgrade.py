"""Upgrades a database in use, with short lock timeouts so that other queries are not blocked for long."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import psycopg2.extensions
from alembic import command
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError

from shared.database import dataset_tables, read_access
from shared.database.child_keys import stop_enforcing
from shared.database.migrate import MIGRATION_LOCK, ahead, configuration, engine_of, missing
from shared.database.toast import disable_compression_without_lz4
from shared.errors import PermanentError

LOCKED, TOO_LONG = "55P03", "57014"  # SQLSTATEs: lock not available, statement timeout


@dataclass(frozen=True)
class Patience:
    """Timeouts of an upgrade in seconds, and the number of attempts to get a lock."""

    lock: int = 5  # queries queue behind a migration that waits for a lock
    statement: int = 900  # an index on a hundred million rows takes minutes
    tries: int = 6
    pause: int = 5  # lets queued queries run


PATIENCE = Patience()


def upgrade(url: str, patience: Patience = PATIENCE) -> None:
    """Upgrade the database to the newest schema. Idempotent, and safe to run concurrently.

    A database ahead of this version is left unchanged. Raises PermanentError, with nothing changed, if a lock cannot be
    acquired or a statement times out.
    """
    _retried(lambda: _upgrade(url, patience), patience)


def apply_datasets(url: str, datasets: Iterable[str] | None = None, patience: Patience = PATIENCE) -> None:
    """Bring the tables of datasets, by default of all, and who may read them, to what their contracts say.

    As safe as `upgrade`. Raises PermanentError, with nothing changed, also where a change might lose values.
    """
    _retried(lambda: _apply_datasets(url, datasets, patience), patience)


def _retried(change: Callable[[], None], patience: Patience) -> None:
    for tried in range(1, patience.tries + 1):
        try:
            change()
        except DBAPIError as error:
            state = getattr(error.orig, "pgcode", None)
            if state not in {LOCKED, TOO_LONG}:
                raise
            if state == TOO_LONG or tried == patience.tries:
                raise PermanentError(_timeout_message(state, patience)) from error
            time.sleep(patience.pause)
        else:
            return


def _apply_datasets(url: str, datasets: Iterable[str] | None, patience: Patience) -> None:
    """Alone among all migrators, as Alembic's run is (`migrations/env.py`)."""
    engine = bounded(url, patience)
    with engine.begin() as connection:
        connection.execute(text("set local lock_timeout = 0"))  # another migrator is waited for as long as a statement
        connection.execute(text(MIGRATION_LOCK))
        connection.execute(text(f"set local lock_timeout = '{patience.lock}s'"))
        dataset_tables.apply(connection, dataset_tables.changes(connection, datasets))
        dataset_tables.apply(connection, read_access.changes(connection, datasets))
    disable_compression_without_lz4(engine)
    stop_enforcing(engine)


def bounded(url: str, patience: Patience) -> Engine:
    """An engine with lock and statement timeouts."""
    engine = engine_of(url)

    @event.listens_for(engine, "connect")
    def bound(connection: psycopg2.extensions.connection, _: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"set lock_timeout = '{patience.lock}s'; set statement_timeout = '{patience.statement}s'")
        connection.commit()

    return engine


def _upgrade(url: str, patience: Patience) -> None:
    engine = bounded(url, patience)
    if ahead(engine) and not missing(engine):
        return
    config = configuration(url)
    config.attributes["patience"] = patience
    command.upgrade(config, "ops@head")
    _apply_datasets(url, None, patience)  # before what services make of these tables
    command.upgrade(config, "heads")
    read_access.grant(engine)  # to a role that a service's migration has made


def _timeout_message(state: str, patience: Patience) -> str:
    if state == LOCKED:
        why = (
            "another session holds a lock on a table that a migration changes,"
            f" for more than {patience.tries} x {patience.lock} s"
        )
    else:
        why = f"a migration, or another upgrade, takes longer than {patience.statement} s (--statement-timeout)"
    return f"{why}; nothing was changed; see docs/release.md"
