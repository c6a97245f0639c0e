"""Undeclared fields become columns, by the loader's own migration (`evolution: evolve`)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services.loader import evolution
from services.loader import worker as loading
from services.loader.evolution import ColumnsNeededError
from services.ops.main import app
from services.ops.reconcile import reprocess
from shared.config.topology import SILVER
from shared.database import dataset_tables
from shared.database.ops_tables import EVOLVED_COLUMN
from shared.datasets import registry
from shared.errors import TransientError
from shared.storage import object_keys
from tests.integration.pipeline import Pipeline, emptied
from tests.support.own_dataset import contract, own_dataset, smelt

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def no_columns(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(EVOLVED_COLUMN.delete())


DATASET = "mine"
PRICE = {"name": "price", "logicalType": "integer"}
TABLES = "drop table if exists silver.mine, silver.mine_last_seen, silver.mine_history"
COLUMNS = """
    select attname, format_type(atttypid, atttypmod) from pg_attribute
    where attrelid = 'silver.mine'::regclass and attnum > 0
          and attname not in ('id', 'price', '_rescued', 'object_id') order by attname
"""


@contextmanager
def dataset(
    database: Engine, folder: Path, *properties: dict[str, Any], dropped: bool = True, **options: Any
) -> Iterator[Pipeline]:
    content = contract(DATASET, [PRICE, *properties], **smelt(evolution="evolve", **options))
    with own_dataset(folder, content):
        tables = [*registry.dataset(DATASET).tables.all]
        tables[0].metadata.create_all(database, tables)
        try:
            with emptied() as pipeline:
                yield pipeline
        finally:
            if dropped:
                with database.begin() as connection:
                    connection.execute(text(TABLES))


def upload(pipeline: Pipeline, name: str, *lines: str) -> None:
    pipeline.put_body(object_keys.upload_key(DATASET, name), "\n".join((*lines, "")).encode())


def loaded(pipeline: Pipeline, name: str, *lines: str) -> None:
    upload(pipeline, name, *lines)
    outcomes = pipeline.work()
    assert outcomes
    assert set(outcomes) <= {"refined", "loaded"}


def rows(database: Engine, query: str) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_new_fields_become_nullable_columns_with_their_values(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path) as pipeline:
        loaded(pipeline, "a", '{"id": "w", "price": 1}')
        loaded(
            pipeline,
            "b",
            '{"id": "x", "price": 1, "unitSize": 2, "seen": "2026-01-02", "open": true, "at": {"lat": 1.5}}',
            '{"id": "y", "price": 2, "share": 0.1}',
        )
        assert rows(database, COLUMNS) == [
            ("at", "jsonb"), ("open", "boolean"), ("seen", "date"), ("share", "numeric"), ("unit_size", "bigint"),
        ]  # fmt: skip
        query = "select id, unit_size, seen::text, open, at::text, share::text, _rescued from silver.mine order by id"
        assert rows(database, query) == [
            ("w", None, None, None, None, None, None),
            ("x", 2, "2026-01-02", True, '{"lat": 1.5}', None, None),
            ("y", None, None, None, None, "0.1", None),
        ]
        first = "select path, column_name, type, first_object from ops.evolved_column where path = 'unitSize'"
        assert rows(database, first) == [("unitSize", "unit_size", "bigint", "uploads/mine/b")]


def test_numbers_keep_their_digits(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path) as pipeline:
        loaded(pipeline, "a", '{"id": "x", "share": 0.123456789012345678901234567890, "code": 99999999999999999999}')
        assert rows(database, "select share::text, code::text from silver.mine") == [
            ("0.123456789012345678901234567890", "99999999999999999999")
        ]


def test_a_change_in_an_evolved_column_alone_updates_the_record(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path) as pipeline:
        loaded(pipeline, "a", "id,price,colour", "x,1,red", "y,1,red")
        loaded(pipeline, "a", "id,price,colour", "x,1,blue", "y,1,red")  # one key: its order is sure within a second
        assert rows(database, "select id, colour from silver.mine order by id") == [("x", "blue"), ("y", "red")]
        counts = "select inserted, updated, unchanged from ops.loaded_object order by id"
        assert rows(database, counts) == [(2, 0, 0), (0, 1, 1)]


def test_a_type_that_no_longer_fits_is_widened_without_a_loss(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path) as pipeline:
        loaded(pipeline, "a", '{"id": "a", "n": 7, "d": "2026-01-02", "b": false, "j": {"k": [1]}}')
        loaded(pipeline, "b", '{"id": "b", "n": 1.50, "d": "soon", "b": "maybe", "j": 3}')
        assert rows(database, COLUMNS) == [("b", "text"), ("d", "text"), ("j", "text"), ("n", "numeric")]
        loaded(pipeline, "c", '{"id": "c", "n": "007"}')
        assert rows(database, "select id, n, d, b, j from silver.mine order by id") == [
            ("a", "7", "2026-01-02", "false", '{"k": [1]}'),
            ("b", "1.5", "soon", "maybe", "3"),
            ("c", "007", None, None, None),
        ]


def test_hostile_names_become_identifiers_or_stay_in_rescued(database: Engine, tmp_path: Path) -> None:
    names = ['x"; drop table silver.mine; --', "Colour", "colour", "ctid", "PRICE", "a" * 100, "цена", "%s", "raw"]
    fields = [f'"{name}": {number}'.replace('x";', 'x\\";') for number, name in enumerate(names)]
    with dataset(database, tmp_path) as pipeline:
        loaded(pipeline, "a", f'{{"id": "x", "price": 1, {", ".join(fields)}, "{"b" * 201}": 1, "l[0].k": 2}}')
        columns = {name for name, _ in rows(database, COLUMNS)}
        assert columns == {
            "x_drop_table_silver_mine", "colour", "colour_2", "ctid_value", "price_2", "a" * 63, "field", "s",
            "raw_value",
        }  # fmt: skip
        recorded = rows(database, "select path, column_name from ops.evolved_column")
        (row,) = rows(database, "select to_jsonb(mine) from silver.mine")
        assert {path: row[0][name] for path, name in recorded} == {name: number for number, name in enumerate(names)}
        assert row[0]["_rescued"] == {"b" * 201: 1, "l[0].k": 2}
        comment = (
            "select col_description('silver.mine'::regclass, attnum) from pg_attribute where attname like 'x_drop%'"
        )
        assert rows(database, comment) == [('field x"; drop table silver.mine; --, added by smelt',)]


def test_fields_beyond_the_limit_stay_in_rescued_and_are_drift(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evolution, "MAX_COLUMNS", 2)
    with dataset(database, tmp_path) as pipeline:
        loaded(pipeline, "a", '{"id": "x", "c": 1, "b": 2, "a": 3}')
        assert rows(database, "select a, b, _rescued from silver.mine") == [(3, 2, {"c": 1})]
        drift = "select path, detail from ops.schema_drift where source = 'uploads/mine/a' order by path"
        assert rows(database, drift) == [
            ("a", "number; in column a"),
            ("b", "number; in column b"),
            ("c", "number; in column _rescued"),
        ]
        printed = CliRunner().invoke(app, ["drift", "--dataset", DATASET]).output
        assert "smelt reprocess --dataset mine" in printed


def test_two_loaders_at_once_add_a_column_once(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path) as pipeline:
        for number in range(6):
            value = "1" if number % 2 else '"many"'
            upload(pipeline, f"{number}", f'{{"id": "{number}", "count": {value}, "own{number}": true}}')
        pipeline.refined()
        load = loading.bootstrap(pipeline.connections.settings)
        messages = [*pipeline.taken(SILVER)]
        with ThreadPoolExecutor(len(messages)) as pool:
            assert [*pool.map(load, messages)] == ["loaded"] * 6
        assert rows(database, "select id, count from silver.mine order by id") == [
            (str(number), "1" if number % 2 else "many") for number in range(6)
        ]
        names = [name for name, _ in rows(database, COLUMNS)]
        assert names == ["count", *(f"own{number}" for number in range(6))]


def test_a_column_is_not_added_while_somebody_uses_the_table(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evolution, "LOCK_TIMEOUT", "50ms")
    with dataset(database, tmp_path) as pipeline:
        upload(pipeline, "a", '{"id": "x", "colour": "red"}')
        pipeline.refined()
        (message,) = pipeline.taken(SILVER)
        load = loading.bootstrap(pipeline.connections.settings)
        with database.begin() as connection:
            connection.execute(text("select * from silver.mine"))
            with pytest.raises(TransientError):
                load(message)
        assert load(message) == "loaded"
        assert rows(database, "select colour from silver.mine") == [("red",)]


def test_an_older_file_that_is_loaded_late_changes_no_row(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path) as pipeline:
        upload(pipeline, "a", '{"id": "x", "price": 1, "old": "a"}')
        pipeline.refined()
        (late,) = pipeline.taken(SILVER)
        upload(pipeline, "a", '{"id": "x", "price": 2, "new": "b"}')
        assert pipeline.work()
        assert loading.bootstrap(pipeline.connections.settings)(late) == "loaded"
        assert rows(database, "select price, old, new from silver.mine") == [(2, None, "b")]


def test_a_batch_that_is_loaded_again_changes_nothing(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path) as pipeline:
        upload(pipeline, "a", '{"id": "x", "colour": "red"}')
        pipeline.refined()
        (message,) = pipeline.taken(SILVER)
        load = loading.bootstrap(pipeline.connections.settings)
        assert [load(message), load(message)] == ["loaded", "duplicate"]
        evolution.add_columns(database, ColumnsNeededError(DATASET, {"colour": "bigint"}))
        assert rows(database, "select colour from silver.mine") == [("red",)]


def test_earlier_records_are_filled_in_from_bronze(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path) as pipeline:
        upload(pipeline, "a", '{"id": "x", "colour": "red"}')
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("services.transformer.transform.rescued", lambda *_: None)
            assert pipeline.work()
        assert rows(database, COLUMNS) == []
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(vars(registry.dataset(DATASET)), "version", 2)
            wanted = reprocess.ObjectFilter(DATASET, reprocess.BRONZE, None, None, "")
            selected = reprocess.find(pipeline.connections, wanted, datetime.now(UTC))
            reprocess.send(pipeline.connections, selected, wanted, None)
            assert pipeline.work() == ["refined", "loaded"]
        assert rows(database, "select colour from silver.mine") == [("red",)]


def test_a_history_has_evolved_columns(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path, disposition="history") as pipeline:
        loaded(pipeline, "a", '{"id": "x", "n": 1}')
        loaded(pipeline, "b", '{"id": "y", "n": "many"}')
        assert rows(database, "select id, n from silver.mine_history order by id") == [("x", "1"), ("y", "many")]


def test_a_contract_may_declare_the_column_later(database: Engine, tmp_path: Path) -> None:
    declared = {"name": "colour", "logicalType": "string"}
    with dataset(database, tmp_path, dropped=False) as pipeline:
        loaded(pipeline, "a", '{"id": "x", "colour": "red"}')
    with dataset(database, tmp_path, declared) as pipeline:
        with database.connect() as connection:
            changes = dataset_tables.changes(connection, [DATASET])
        assert [change.text for change in changes] == ["new comment of column colour"]
        loaded(pipeline, "b", '{"id": "y", "colour": "blue"}')
        assert rows(database, "select id, colour from silver.mine order by id") == [("x", "red"), ("y", "blue")]


def test_a_table_that_is_made_anew_gets_its_columns_again(database: Engine, tmp_path: Path) -> None:
    for name in ("a", "b"):
        with dataset(database, tmp_path) as pipeline:
            loaded(pipeline, name, '{"id": "x", "colour": "red", "n": 1.5}')
            assert rows(database, COLUMNS) == [("colour", "text"), ("n", "numeric")]
    recorded = "select path, column_name from ops.evolved_column order by path"
    assert rows(database, recorded) == [("colour", "colour"), ("n", "n")]
