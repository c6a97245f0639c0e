"""A dataset's definition changes while a process runs it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import MetaData

from shared.datasets import contract, definition
from shared.datasets.definition import ChangedDefinitionError
from shared.engine.retry import MessageHistory, PutBack, plan_retry
from shared.errors import PermanentError
from shared.formats import silver
from shared.formats.silver import Counts, SilverHeader
from shared.storage.object_id import ObjectId
from tests.support.own_dataset import NORMALISE, files, own_dataset

COLUMNS = 'Column("id", Text, primary_key=True)'


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with own_dataset(tmp_path, "mine", files("mine", "id: Text", COLUMNS)) as home:
        yield home


def batch(made_by: str | None) -> bytes:
    """An empty one, of the tables as they are."""
    header = SilverHeader(
        dataset="mine",
        transform_version=1,
        source=ObjectId("b", "uploads/mine/a.json", "v"),
        observed_at=datetime(2026, 1, 1, tzinfo=UTC),
        counts=Counts(read=0, valid=0, quarantined=0),
        definition=made_by,
    )
    return silver.write(silver.frame([], contract.tables("mine")), header)


@pytest.mark.parametrize("module", ["raw", "normalise", "gate", "tables", "helper"])
def test_a_change_of_any_file_is_noticed(home: Path, module: str) -> None:
    contract.tables("mine")
    definition.refuse_changed("mine")
    with (home / f"{module}.py").open("a") as file:
        file.write("# changed\n")
    with pytest.raises(ChangedDefinitionError, match="'mine' has changed since this worker started: restart"):
        definition.refuse_changed("mine")


def test_a_change_undone_is_none(home: Path) -> None:
    contract.tables("mine")
    (home / "normalise.py").write_text("VERSION = 2\n")
    (home / "normalise.py").write_text(NORMALISE)
    definition.refuse_changed("mine")


def test_a_migration_is_no_change(home: Path) -> None:
    contract.tables("mine")
    (home / "migrations").mkdir()
    (home / "migrations" / "mine_001.py").write_text("")
    definition.refuse_changed("mine")


def test_a_message_of_a_changed_definition_is_put_back_and_no_attempt_counts() -> None:
    tried = MessageHistory(attempts=5, max_attempts=5, age=60, max_age=86_400)
    assert plan_retry(ChangedDefinitionError("mine"), tried, 0.5) == PutBack(definition.WAIT)


def test_no_batch_is_read_by_an_old_definition(home: Path) -> None:
    body = batch(definition.loaded("mine"))
    assert silver.read(body)[0].definition == definition.loaded("mine")
    (home / "tables.py").write_text("ROOT = None\n")
    with pytest.raises(ChangedDefinitionError):
        silver.read(body)


@pytest.mark.usefixtures("home")
def test_other_columns_of_the_same_version_are_explained_by_their_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    body = batch("0badcafe")
    root = contract.tables("mine").ROOT.to_metadata(MetaData())
    root.append_column(contract.tables("reference_table").ROOT.c.label._copy())
    monkeypatch.setattr(contract.tables("mine"), "ROOT", root)
    with pytest.raises(PermanentError, match=r"definition 0badcafe made it, ours is [0-9a-f]{16}, both are version 1"):
        silver.read(body)
