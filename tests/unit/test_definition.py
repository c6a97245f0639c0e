"""A dataset's definition changes while a process runs it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import MetaData

from shared.datasets import definition, registry
from shared.datasets.dataset import Tables
from shared.datasets.definition import ChangedDefinitionError
from shared.engine.retry import MessageHistory, PutBack, plan_retry
from shared.errors import PermanentError
from shared.formats import silver
from shared.formats.silver import Counts, SilverHeader
from shared.storage.object_id import ObjectId
from tests.support.own_dataset import contract, own_dataset

CODE = "def normalise(row):\n    return row\n"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with own_dataset(tmp_path, contract("mine"), CODE):
        yield tmp_path


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
    return silver.write(silver.frame([], registry.dataset("mine").tables), header)


@pytest.mark.parametrize("file", ["mine.odcs.yaml", "mine.py"])
def test_a_change_of_any_file_is_noticed(home: Path, file: str) -> None:
    assert registry.dataset("mine").tables
    definition.refuse_changed("mine")
    with (home / file).open("a") as content:
        content.write("# changed\n")
    with pytest.raises(ChangedDefinitionError, match="'mine' has changed since this worker started: restart"):
        definition.refuse_changed("mine")


def test_code_that_is_new_is_noticed(tmp_path: Path) -> None:
    with own_dataset(tmp_path, contract("mine")):
        assert registry.dataset("mine").tables
        (tmp_path / "mine.py").write_text(CODE)
        with pytest.raises(ChangedDefinitionError):
            definition.refuse_changed("mine")


def test_a_change_undone_is_none(home: Path) -> None:
    assert registry.dataset("mine").tables
    (home / "mine.py").write_text("SOURCE = None\n")
    (home / "mine.py").write_text(CODE)
    definition.refuse_changed("mine")


def test_a_message_of_a_changed_definition_is_put_back_and_no_attempt_counts() -> None:
    tried = MessageHistory(attempts=5, max_attempts=5, age=60, max_age=86_400)
    assert plan_retry(ChangedDefinitionError("mine"), tried, 0.5) == PutBack(definition.WAIT_SECONDS)


def test_no_batch_is_read_by_an_old_definition(home: Path) -> None:
    body = batch(registry.dataset("mine").digest)
    assert silver.read(body)[0].definition == registry.dataset("mine").digest
    (home / "mine.py").write_text("SOURCE = None\n")
    with pytest.raises(ChangedDefinitionError):
        silver.read(body)


@pytest.mark.usefixtures("home")
def test_other_columns_of_the_same_version_are_explained_by_their_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    body = batch("0badcafe")
    mine = registry.dataset("mine")
    root = mine.tables.root.to_metadata(MetaData())
    root.append_column(registry.dataset("reference_table").tables.root.c.label._copy())
    monkeypatch.setitem(vars(mine), "tables", Tables(root, (), mine.tables.last_seen))
    with pytest.raises(PermanentError, match=r"definition 0badcafe made it, ours is [0-9a-f]{16}, both are version 1"):
        silver.read(body)
