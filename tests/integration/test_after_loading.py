"""What becomes of an upload once all of it is loaded (`afterLoading`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import Engine

from services.loader import after_loading
from services.loader import worker as loading
from services.ops.reconcile import reprocess
from services.transformer.batching import batched
from shared.config.topology import SILVER
from shared.errors import TransientError
from shared.storage import objects
from tests.integration.pipeline import Pipeline, emptied
from tests.support.own_dataset import contract, own_dataset, own_tables, smelt

pytestmark = pytest.mark.integration

KEY = "uploads/mine/2026/a.csv"


@contextmanager
def dataset(database: Engine, folder: Path, action: str) -> Iterator[Pipeline]:
    content = contract("mine", **smelt(afterLoading=action))
    with own_dataset(folder, content), own_tables(database), emptied() as pipeline:
        yield pipeline


def keys(pipeline: Pipeline, *prefixes: str) -> list[str]:
    s3, bucket = pipeline.connections.s3, pipeline.connections.settings.bucket
    return sorted(key for prefix in prefixes for key in objects.list_keys(s3, bucket, prefix))


def tags(pipeline: Pipeline) -> dict[str, str]:
    s3, bucket = pipeline.connections.s3, pipeline.connections.settings.bucket
    return {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=bucket, Key=KEY)["TagSet"]}


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("keep", [KEY]),
        ("tag", [KEY]),
        ("move", ["loaded/mine/2026/a.csv"]),
        ("delete", []),
    ],
)
def test_a_loaded_upload_is_handled_and_its_version_can_be_loaded_again(
    database: Engine, tmp_path: Path, action: str, expected: list[str]
) -> None:
    with dataset(database, tmp_path, action) as pipeline:
        stored = pipeline.put_body(KEY, b"id\n1\n2\n")
        assert pipeline.work() == ["refined", "loaded"]
        assert keys(pipeline, "uploads/", "loaded/") == expected
        assert objects.get(pipeline.connections.s3, stored, 100).body == b"id\n1\n2\n"
        selected = reprocess.find(pipeline.connections, reprocess.ObjectFilter("mine"), datetime.now(UTC))
        assert [item.stored.object.version for item in selected] == [stored.version]
        reprocess.send(pipeline.connections, selected, reprocess.ObjectFilter("mine"))
        assert pipeline.work() == ["refined", "duplicate"]
        assert keys(pipeline, "uploads/", "loaded/") == expected


def test_a_tag_stands_beside_others(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path, "tag") as pipeline:
        stored = pipeline.put_body(KEY, b"id\n1\n")
        tagging = {"TagSet": [{"Key": "owner", "Value": "ann"}]}
        pipeline.connections.s3.put_object_tagging(Bucket=stored.bucket, Key=KEY, Tagging=tagging)  # type: ignore[arg-type]
        pipeline.work()
        assert tags(pipeline) == {"owner": "ann", "smelt": "loaded"}


def test_an_upload_is_handled_with_its_last_batch_only(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.transformer.worker.batched", partial(batched, max_records=1))
    with dataset(database, tmp_path, "delete") as pipeline:
        pipeline.put_body(KEY, b"id\n1\n2\n")
        pipeline.refined()
        load = loading.bootstrap(pipeline.connections.settings)
        seen = []
        for message in pipeline.taken(SILVER):
            load(message)
            seen.append(keys(pipeline, "uploads/"))
        assert seen == [[KEY], []]


def test_a_newer_upload_of_the_same_name_is_left_alone(database: Engine, tmp_path: Path) -> None:
    with dataset(database, tmp_path, "delete") as pipeline:
        pipeline.put_body(KEY, b"id\n1\n")
        pipeline.refined()
        (message,) = pipeline.taken(SILVER)
        pipeline.put_body(KEY, b"id\n2\n")
        assert loading.bootstrap(pipeline.connections.settings)(message) == "loaded"
        assert keys(pipeline, "uploads/") == [KEY]
        assert pipeline.work() == ["refined", "loaded"]
        assert keys(pipeline, "uploads/") == []


@pytest.mark.parametrize("code", ["AccessDenied", "SlowDown"])
def test_what_fails_is_an_error_of_the_message_and_done_with_the_next_try(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    def refused(*_: object) -> bool:
        raise ClientError({"Error": {"Code": code}, "ResponseMetadata": {}}, "DeleteObject")  # type: ignore[typeddict-item]

    with dataset(database, tmp_path, "delete") as pipeline:
        pipeline.put_body(KEY, b"id\n1\n")
        pipeline.refined()
        (message,) = pipeline.taken(SILVER)
        load = loading.bootstrap(pipeline.connections.settings)
        with monkeypatch.context() as patch:
            patch.setitem(vars(after_loading)["ACTIONS"], "delete", refused)
            with pytest.raises(TransientError, match="afterLoading delete"):
                load(message)
        assert load(message) == "duplicate"
        assert keys(pipeline, "uploads/") == []
