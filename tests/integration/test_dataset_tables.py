"""The tables of a dataset follow its contract by what can be added without losing a value."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text

from shared.database import dataset_tables, upgrade
from shared.errors import PermanentError
from tests.support.own_dataset import contract, own_dataset, smelt

pytestmark = pytest.mark.integration

DATASET = "mine"
AMOUNT = {"name": "amount", "logicalType": "number", "physicalType": "numeric(10,2)"}
COUNT = {"name": "count", "logicalType": "integer", "physicalType": "integer"}


@pytest.fixture
def folder(database: Engine, tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    with database.begin() as connection:
        for table in ("mine_child", "mine_last_seen", "mine"):
            connection.execute(text(f"drop table if exists silver.{table}"))


def applied(database: Engine, folder: Path, *properties: dict[str, Any], **others: Any) -> list[tuple[str, str]]:
    """Apply a contract with these columns; what was done, (table, change)."""
    with own_dataset(folder, contract(DATASET, properties) | others), database.begin() as connection:
        changes = dataset_tables.changes(connection, [DATASET])
        dataset_tables.apply(connection, changes)
        assert dataset_tables.changes(connection, [DATASET]) == []
    return [(change.table, change.text) for change in changes]


def columns(database: Engine) -> dict[str, str]:
    with database.connect() as connection:
        found = inspect(connection).get_columns("mine", "silver")
    return {column["name"]: str(column["type"]) for column in found}


def test_new_tables_are_made_once(database: Engine, folder: Path) -> None:
    assert applied(database, folder, COUNT) == [("mine", "new table"), ("mine_last_seen", "new table")]
    assert applied(database, folder, COUNT) == []


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (COUNT, COUNT | {"physicalType": "bigint"}, "column count from INTEGER to BIGINT"),
        (COUNT | {"physicalType": "smallint"}, COUNT, "column count from SMALLINT to INTEGER"),
        (COUNT, {"name": "count", "logicalType": "string"}, "column count from INTEGER to TEXT"),
        (
            COUNT,
            {"name": "count", "logicalType": "number", "physicalType": "numeric(12,2)"},
            "column count from INTEGER to NUMERIC(12, 2)",
        ),
        (AMOUNT, AMOUNT | {"physicalType": "numeric(14,4)"}, "column amount from NUMERIC(10, 2) to NUMERIC(14, 4)"),
        (COUNT | {"required": True}, COUNT, "column count is no longer required"),
        (COUNT, COUNT | {"description": "How many."}, "new comment of column count"),
        (COUNT, COUNT | smelt(indexed=True), "new index"),
    ],
)
def test_a_column_changes(
    database: Engine, folder: Path, before: dict[str, Any], after: dict[str, Any], change: str
) -> None:
    applied(database, folder, before)
    with database.begin() as connection:
        connection.execute(text(f"insert into silver.mine (id, {before['name']}, object_id) values ('a', 7, 1)"))  # noqa: S608 - a name of this test
    assert applied(database, folder, after) == [("mine", change)]
    with database.connect() as connection:
        assert connection.scalar(text(f"select {before['name']}::numeric from silver.mine")) == 7  # noqa: S608


def test_new_columns_and_child_tables_are_added(database: Engine, folder: Path) -> None:
    applied(database, folder, COUNT)
    child = {"name": "mine_child", "properties": [{"name": "value"}], **smelt(path="values[]")}
    schema = [*contract(DATASET, [COUNT, AMOUNT])["schema"], child]
    assert sorted(applied(database, folder, schema=schema)) == [
        ("mine", "new column amount NUMERIC(10, 2)"),
        ("mine_child", "new table"),
    ]
    assert columns(database)["amount"] == "NUMERIC(10, 2)"


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (COUNT | {"physicalType": "bigint"}, COUNT),
        (AMOUNT | {"physicalType": "numeric(14,4)"}, AMOUNT),
        ({"name": "count", "logicalType": "string"}, COUNT),
        (COUNT, COUNT | {"required": True}),
        (COUNT | {"description": "How many."}, COUNT | {"description": "How many."}),
    ],
)
def test_what_the_database_has_or_allows_beyond_an_older_contract_stays(
    database: Engine, folder: Path, newer: dict[str, Any], older: dict[str, Any]
) -> None:
    applied(database, folder, newer, {"name": "later"})
    before = columns(database)
    assert applied(database, folder, older) == []
    assert columns(database) == before


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (COUNT, {"name": "count", "logicalType": "date"}, "INTEGER to DATE may lose values"),
        ({"name": "count", "logicalType": "number"}, COUNT, "DOUBLE PRECISION to INTEGER may lose values"),
        (COUNT, {"name": "count", "logicalType": "number"}, "INTEGER to DOUBLE PRECISION may lose values"),
    ],
)
def test_what_may_lose_values_is_refused_and_nothing_is_done(
    database: Engine, folder: Path, before: dict[str, Any], after: dict[str, Any], words: str
) -> None:
    applied(database, folder, before)
    with pytest.raises(PermanentError, match=words):
        applied(database, folder, after, {"name": "new"})
    assert "new" not in columns(database)


def test_a_new_column_that_is_required_is_refused(database: Engine, folder: Path) -> None:
    applied(database, folder, COUNT)
    with pytest.raises(PermanentError, match=r"new column amount .* is required: rows that are there have no value"):
        applied(database, folder, COUNT, AMOUNT | {"required": True})


def test_a_change_that_cannot_get_its_lock_says_so(database: Engine, folder: Path) -> None:
    applied(database, folder, COUNT)
    patience = upgrade.Patience(lock=1, tries=1)
    with own_dataset(folder, contract(DATASET, [COUNT, AMOUNT])), database.begin() as reader:
        reader.execute(text("select count(*) from silver.mine"))  # and its transaction stays open
        with pytest.raises(PermanentError, match="another session holds a lock"):
            upgrade.apply_datasets(database.url.render_as_string(hide_password=False), [DATASET], patience)
    assert "amount" not in columns(database)
