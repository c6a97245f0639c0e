"""Upgrading a database in use: short waits, a clear word where that fails, and old workers that go on."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services.loader import worker as loader
from services.ops import main
from shared.config.settings import Settings
from shared.database import migrate
from shared.database.upgrade import Patience, upgrade
from shared.errors import PermanentError

pytestmark = pytest.mark.integration

SHORT = Patience(lock=1, tries=2, pause=0)
MIGRATION = """
from alembic import op

revision = "ops_999"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table ops.run add column of_tomorrow text")
    op.execute("select pg_sleep({seconds})")
"""


class Newer:
    """The next version of the code, which brings one more migration of `ops`, and a switch between it and this one."""

    def __init__(self, folder: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self._services, self._engine, self._monkeypatch = folder, engine, monkeypatch
        with engine.connect() as connection:
            self._heads = connection.scalars(text("select version_num from ops.migration")).all()
        self.before = max(path.stem for path in (migrate.HERE / "migrations" / "versions").glob("ops_*.py"))
        folder.mkdir()
        for service in migrate.SERVICES.iterdir():
            (folder / service.name).symlink_to(service)
        self.takes(0)

    def takes(self, seconds: int) -> None:
        """How long its migration takes."""
        folder = self._services / "tomorrow" / "migrations"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ops_999.py").write_text(MIGRATION.format(before=self.before, seconds=seconds))

    def upgrade(self, patience: Patience = SHORT) -> None:
        """As the newer version does it."""
        with self._monkeypatch.context() as newer:
            newer.setattr(migrate, "SERVICES", self._services)
            upgrade(os.environ["SMELT_DATABASE_URL"], patience)

    @property
    def done(self) -> bool:
        """Whether the database has its column."""
        found = "select from pg_attribute where attrelid = 'ops.run'::regclass and attname = 'of_tomorrow'"
        with self._engine.connect() as connection:
            return connection.execute(text(f"{found} and not attisdropped")).rowcount == 1

    def undo(self) -> None:
        """Back to this version's schema."""
        with self._engine.begin() as connection:
            connection.execute(text("alter table ops.run drop column if exists of_tomorrow"))
            connection.execute(text("delete from ops.migration"))
            restored = [{"head": head} for head in self._heads]
            connection.execute(text("insert into ops.migration values (:head)"), restored)


@pytest.fixture
def newer(database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Newer]:
    version = Newer(tmp_path / "services", database, monkeypatch)
    yield version
    version.undo()


def test_an_upgrade_gives_up_where_other_work_holds_a_lock_and_works_once_it_is_over(
    database: Engine, newer: Newer
) -> None:
    with database.begin() as reader:
        reader.execute(text("select count(*) from ops.run"))  # and its transaction stays open
        with pytest.raises(PermanentError, match="another session holds a lock on a table that a migration changes"):
            newer.upgrade()
        assert not newer.done
    newer.upgrade()
    assert newer.done


def test_others_read_on_between_the_tries_of_an_upgrade(database: Engine, newer: Newer) -> None:
    waiting = text("select count(*) from pg_locks where not granted and relation = 'ops.run'::regclass")
    with ThreadPoolExecutor() as pool, database.connect() as holder:
        holder.execute(text("lock table ops.run in access share mode"))
        upgrading = pool.submit(newer.upgrade, Patience(lock=1, tries=60, pause=1))
        with database.connect() as watcher:
            while not watcher.scalar(waiting):
                watcher.rollback()
            watcher.execute(text("set lock_timeout = '20s'"))
            watcher.execute(text("select count(*) from ops.run"))  # behind it, and not for long
        holder.rollback()
        upgrading.result()
    assert newer.done


def test_a_migration_that_takes_too_long_is_undone(newer: Newer) -> None:
    newer.takes(60)
    with pytest.raises(PermanentError, match=r"takes longer than 1 s \(--statement-timeout\); nothing was changed"):
        newer.upgrade(Patience(statement=1))
    assert not newer.done


def test_an_upgrade_waits_for_another_one_longer_than_for_a_lock(database: Engine, newer: Newer) -> None:
    with ThreadPoolExecutor() as pool, database.connect() as another:
        another.execute(text("select pg_advisory_xact_lock(hashtext('smelt migrations'))"))
        upgrading = pool.submit(newer.upgrade, Patience(lock=1, tries=1))
        another.execute(text("select pg_sleep(3)"))
        another.commit()
        upgrading.result()
    assert newer.done


def test_a_worker_of_before_starts_on_a_database_that_is_ahead(database: Engine, newer: Newer) -> None:
    newer.upgrade()
    assert migrate.ahead(database) == {"ops_999"}
    assert migrate.missing(database) == set()
    loader.check(Settings())


def test_a_database_that_is_ahead_still_lacks_what_is_of_another_branch(database: Engine, newer: Newer) -> None:
    newer.upgrade()
    with database.begin() as connection:
        connection.execute(text("delete from ops.migration where version_num like 'gold%'"))
    lacking = {one.rpartition("_")[0] for one in migrate.missing(database)}
    assert "gold" in lacking
    assert "ops" not in lacking


def test_an_upgrade_by_the_version_of_before_leaves_a_database_that_is_ahead(newer: Newer) -> None:
    newer.upgrade()
    result = CliRunner().invoke(main.app, ["db", "upgrade"])
    assert (result.exit_code, newer.done) == (0, True)
    checked = CliRunner().invoke(main.app, ["db", "check"])
    assert checked.exit_code == 0
    assert "the schema is that of a newer version, which serves this one, too: ops_999" in checked.output


@pytest.fixture
def of_development(database: Engine) -> Iterator[None]:
    """The database has the revisions of a development version from before the first release (72da618)."""
    heads = ("ops_0006", "gold_0005", "usajobs_search_0003", "usajobs_historic_0002", "reference_table_0002")
    with database.begin() as connection:
        current = connection.scalars(text("delete from ops.migration returning version_num")).all()
        connection.execute(text("insert into ops.migration values (:head)"), [{"head": head} for head in heads])
    yield
    with database.begin() as connection:
        connection.execute(text("delete from ops.migration"))
        connection.execute(text("insert into ops.migration values (:head)"), [{"head": head} for head in current])


@pytest.mark.usefixtures("of_development")
@pytest.mark.parametrize("command", ["upgrade", "check"])
def test_a_database_of_a_development_version_is_refused_with_one_line(command: str) -> None:
    result = CliRunner().invoke(main.app, ["db", command])
    assert isinstance(result.exception, PermanentError)
    assert str(result.exception) == (
        "this database was made by a development version of smelt (gold_0005, ops_0006, reference_table_0002,"
        " usajobs_historic_0002, usajobs_search_0003) and cannot be upgraded: create an empty one and load it again"
        " from the bucket (docs/release.md)"
    )


@pytest.mark.usefixtures("of_development")
def test_a_loader_refuses_a_database_of_a_development_version() -> None:
    with pytest.raises(PermanentError, match="made by a development version"):
        loader.check(Settings())
