"""What a record is to those before it, by the contract's disposition; and what becomes of undeclared fields."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from services.loader import load as object_loading
from services.loader import worker as loading
from services.ops.quarantine import entries
from services.transformer import rescue
from services.transformer import worker as transforming
from shared.config.topology import SILVER, UPLOADS
from shared.datasets import registry
from shared.storage import object_keys, objects
from shared.storage.object_id import ObjectId
from tests.integration.pipeline import Pipeline, emptied
from tests.support.own_dataset import contract, own_dataset, own_tables, smelt

pytestmark = pytest.mark.integration

DATASET = "mine"
PRICE = {"name": "price", "logicalType": "integer", "logicalTypeOptions": {"minimum": 0}}


@contextmanager
def dataset(database: Engine, folder: Path, **options: Any) -> Iterator[Pipeline]:
    content = contract(DATASET, [PRICE], **smelt(**options))
    if options.get("disposition") == "append":
        content["schema"][0]["properties"][0] = {"name": "id"}
    with own_dataset(folder, content), own_tables(database), emptied() as pipeline:
        yield pipeline


def upload(pipeline: Pipeline, name: str, *lines: str) -> None:
    pipeline.put_body(object_keys.upload_key(DATASET, name), "\n".join(("id,price", *lines, "")).encode())


def loaded(pipeline: Pipeline, name: str, *lines: str) -> None:
    upload(pipeline, name, *lines)
    assert pipeline.work()


def rows(pipeline: Pipeline, query: str) -> list[tuple[Any, ...]]:
    with pipeline.connections.database.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


ALL = "select id, price from silver.mine order by 1, 2"
WAITING = "select pid from pg_locks where locktype = 'advisory' and not granted"
ACTIVE = "select id from silver.mine_last_seen where inactive_since is null order by 1"


def test_appended_records_need_no_key_and_repeated_ones_are_kept(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path, disposition="append") as pipeline:
        loaded(pipeline, "a", "x,1", "x,1")
        loaded(pipeline, "b", "x,1", "y,2")
        assert rows(pipeline, ALL) == [("x", 1), ("x", 1), ("x", 1), ("y", 2)]


def test_an_object_that_is_loaded_again_appends_nothing(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path, disposition="append") as pipeline:
        key = object_keys.upload_key(DATASET, "a")
        stored = pipeline.put_body(key, b"id,price\nx,1\nx,1\n")
        assert pipeline.work()
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(vars(registry.dataset(DATASET)), "version", 2)
            transforming.compose(pipeline.connections.settings).transform_object(stored, is_retry=False, in_full=True)
            pipeline.work()
        assert rows(pipeline, ALL) == [("x", 1), ("x", 1)]
        assert rows(pipeline, "select count(*) from ops.loaded_object") == [(2,)]


def test_a_rejected_record_is_known_by_its_place(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path, disposition="append") as pipeline:
        loaded(pipeline, "a", "x,1", "x,-1")
        ((key,),) = rows(pipeline, "select natural_key from ops.quarantine")
        assert key.endswith("-1")
        assert rows(pipeline, "select record_id from silver.mine") == [(f"{key.removesuffix('-1')}-0",)]


def test_what_a_snapshot_lacks_is_gone_and_comes_back(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path, disposition="snapshot") as pipeline:
        loaded(pipeline, "a", "x,1", "y,2")
        _later(pipeline)
        loaded(pipeline, "b", "y,2", "z,3")
        assert rows(pipeline, ACTIVE) == [("y",), ("z",)]
        _later(pipeline)
        loaded(pipeline, "c", "x,1")
        assert rows(pipeline, ACTIVE) == [("x",)]
        assert rows(pipeline, ALL) == [("x", 1), ("y", 2), ("z", 3)]


def test_a_record_that_a_snapshot_has_and_the_checks_reject_is_not_gone(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path, disposition="snapshot") as pipeline:
        loaded(pipeline, "a", "x,1", "y,2")
        _later(pipeline)
        loaded(pipeline, "b", "x,-1")
        assert rows(pipeline, ACTIVE) == [("x",)]


def test_a_snapshot_that_is_loaded_late_brings_nothing_back(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path, disposition="snapshot") as pipeline:
        upload(pipeline, "older", "x,1", "y,2")
        held = [*pipeline.taken(UPLOADS)]
        _later(pipeline)
        loaded(pipeline, "newer", "y,3")
        transforming.compose(pipeline.connections.settings).handle(held[0])
        pipeline.work()
        assert rows(pipeline, ACTIVE) == [("y",)]
        assert ("y", 3) in rows(pipeline, ALL)


def test_of_two_snapshots_of_one_second_the_later_one_counts(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path, disposition="snapshot") as pipeline:
        upload(pipeline, "a", "x,1", "y,2")
        upload(pipeline, "a", "y,3")
        assert pipeline.work()
        assert rows(pipeline, ACTIVE) == [("y",)]


def test_a_rejected_record_is_not_gone_though_its_entry_is_loaded_last(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path, disposition="snapshot") as pipeline:
        loaded(pipeline, "a", "x,1", "y,2")
        _later(pipeline)
        upload(pipeline, "b", "x,-1", "y,2")
        pipeline.refined()
        load = loading.bootstrap(pipeline.connections.settings)
        for message in sorted(pipeline.taken(SILVER), key=lambda message: "quarantine/" in str(message)):
            load(message)
        assert rows(pipeline, ACTIVE) == [("x",), ("y",)]


def test_of_two_snapshots_that_are_loaded_at_once_the_newer_one_counts(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path, disposition="snapshot") as pipeline:
        upload(pipeline, "older", "x,1", "y,2")
        pipeline.refined()
        _later(pipeline)
        upload(pipeline, "newer", "y,3")
        pipeline.refined()
        older, newer = (_silver(pipeline, name) for name in ("older", "newer"))
        with ThreadPoolExecutor() as pool:
            with database.begin() as connection:
                object_loading.load_silver(connection, newer)
                other = pool.submit(_load_alone, database, older)
                while not other.done() and not rows(pipeline, WAITING):
                    pass
            other.result()
        assert rows(pipeline, ACTIVE) == [("y",)]


def test_a_record_of_an_older_file_that_is_replayed_does_not_come_back(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path, disposition="snapshot") as pipeline:
        loaded(pipeline, "a", "x,-1", "y,2")
        _later(pipeline)
        loaded(pipeline, "b", "y,2")
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(vars(registry.dataset(DATASET)), "checks", {})
            wanted = entries.QuarantineFilter(dataset=DATASET)
            with database.connect() as connection:
                whole, _ = entries.find_replayable(connection, wanted, None)
            assert entries.replay(pipeline.connections, whole, wanted).done == 1
            assert pipeline.work()
        assert rows(pipeline, ALL) == [("x", -1), ("y", 2)]
        assert rows(pipeline, ACTIVE) == [("y",)]


def test_history_has_every_version_with_its_time(database: Engine, tmp_path: Path) -> None:
    query = """
        select id, price, valid_to is null, valid_from < coalesce(valid_to, 'infinity')
        from silver.mine_history order by id, valid_from
    """
    with dataset(database, tmp_path, disposition="history") as pipeline:
        loaded(pipeline, "a", "x,1", "y,2")
        _later(pipeline)
        loaded(pipeline, "b", "x,5", "y,2")
        loaded(pipeline, "b", "x,5")  # the same content once more
        assert rows(pipeline, query) == [("x", 1, False, True), ("x", 5, True, True), ("y", 2, True, True)]
        ended = """
            select count(*) from silver.mine_history as old
            join silver.mine_history as new on old.id = new.id and old.valid_to = new.valid_from
        """
        assert rows(pipeline, ended) == [(1,)]
        assert rows(pipeline, ALL) == [("x", 5), ("y", 2)]


def test_a_version_that_is_loaded_late_is_no_part_of_the_history(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path, disposition="history") as pipeline:
        upload(pipeline, "older", "x,1")
        assert pipeline.refined() == ["refined"]
        late = [*pipeline.taken(SILVER)]
        _later(pipeline)
        loaded(pipeline, "newer", "x,2")
        loading.bootstrap(pipeline.connections.settings)(late[0])
        assert rows(pipeline, "select price, valid_to from silver.mine_history") == [(2, None)]


def test_undeclared_fields_are_kept_with_their_paths(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path, evolution="rescue") as pipeline:
        body = b'{"id": "x", "price": 1, "colour": "red", "size": {"w": 2}}\n{"id": "y", "price": 2}\n'
        pipeline.put_body(object_keys.upload_key(DATASET, "a"), body)
        assert pipeline.work()
        query = "select id, _rescued from silver.mine order by id"
        assert rows(pipeline, query) == [("x", {"colour": "red", "size": {"w": 2}}), ("y", None)]


def test_a_name_with_a_dot_is_not_the_field_inside_of_an_object(tmp_path: Path) -> None:
    nested = {"name": "lat", "logicalType": "number", **smelt(path="place.lat")}
    with own_dataset(tmp_path, contract("dotted", [nested], **smelt(evolution="rescue")), name="dotted"):
        record = {"id": "x", "place": {"lat": 1, "x": 2}, "place.lat": 3, "place.x": 4}
        assert rescue.rescued(record, "dotted") == '{"place.x":2,"place.lat":3,"\\"place.x\\"":4}'


def test_an_undeclared_field_that_postgres_cannot_hold_costs_its_record_only(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path, evolution="rescue") as pipeline:
        body = b'{"id": "x", "price": 1, "colour": "a\\u0000"}\n{"id": "y", "price": 2}\n'
        pipeline.put_body(object_keys.upload_key(DATASET, "a"), body)
        assert pipeline.work()
        assert rows(pipeline, ALL) == [("y", 2)]
        assert rows(pipeline, "select rule from ops.quarantine") == [("undeclared_field",)]


def _silver(pipeline: Pipeline, name: str) -> objects.ObjectContent:
    s3, bucket = pipeline.connections.s3, pipeline.connections.settings.bucket
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"silver/{DATASET}/uploads/{name}")["Contents"]
    return objects.get(s3, ObjectId(bucket, listed[0]["Key"]), 1 << 20)


def _load_alone(database: Engine, content: objects.ObjectContent) -> None:
    with database.begin() as connection:
        object_loading.load_silver(connection, content)


def _later(pipeline: Pipeline) -> None:
    """S3's times have whole seconds: wait until it gives a later one than for what is stored."""
    s3, bucket = pipeline.connections.s3, pipeline.connections.settings.bucket

    def now(name: str) -> Any:
        s3.put_object(Bucket=bucket, Key=f"clock/{name}", Body=b"")
        return s3.head_object(Bucket=bucket, Key=f"clock/{name}")["LastModified"]

    before = now("before")
    while now("after") <= before:
        pass
