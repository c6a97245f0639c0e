"""The transformer on a real bucket: objects of one batch and of several, once and again."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import boto3
import pytest
from sqlalchemy import Engine, text

from services.loader import load as loader
from services.transformer import worker
from services.transformer.batching import batched
from services.transformer.input_limits import InputLimits
from services.transformer.worker import Transformer
from shared.datasets import registry
from shared.engine.message import Message
from shared.errors import PermanentError, TransientError
from shared.formats import quarantine, silver
from shared.storage import object_keys, objects
from shared.storage.object_id import ObjectId
from tests.integration.test_loader import counts, posting, titles

pytestmark = pytest.mark.integration

DATASET = "usajobs_search"
VERSION = registry.dataset(DATASET).version
BOUNDS = InputLimits(stored=1 << 20, expanded=1 << 20, document=1 << 20, record=1 << 20, nesting=64)
BAD = {"MatchedObjectId": "x"}


class Dying:
    """S3 for a worker that is killed before it has stored its second batch."""

    def __init__(self, s3: Any) -> None:
        self._s3, self._stored = s3, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def put_object(self, **request: Any) -> Any:
        if request["Key"].startswith("silver/") and self._stored:
            raise KeyboardInterrupt
        self._stored += 1
        return self._s3.put_object(**request)


@pytest.fixture
def transformer(backends: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Transformer:
    """With batches of two records each."""
    monkeypatch.setattr(worker, "batched", partial(batched, max_records=2))
    return Transformer(boto3.client("s3"), backends["SMELT_BUCKET"], BOUNDS)


def put(transformer: Transformer, name: str, body: bytes, **metadata: str) -> ObjectId:
    """Store an upload of this test's own, or a page where the name has a folder."""
    key = f"bronze/{DATASET}/{name}" if "/" in name else f"uploads/{DATASET}/transformer/{name}"
    stored = transformer.s3.put_object(Bucket=transformer.bucket, Key=key, Body=body, Metadata=metadata)
    return ObjectId(transformer.bucket, key, stored["VersionId"])


def lines(*records: dict[str, Any]) -> bytes:
    """JSON lines."""
    return "\n".join(map(json.dumps, records)).encode()


def event(bronze: ObjectId, receives: int) -> Message:
    """The message of an object, received so often."""
    described = {"key": bronze.key, "versionId": bronze.version_id}
    record = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bronze.bucket}, "object": described}}
    return Message(json.dumps({"Records": [record]}), "id", "receipt", "url", receives, 0, 0, {})


def made(transformer: Transformer, bronze: ObjectId) -> list[str]:
    """Silver keys of an object."""
    return sorted(objects.list_keys(transformer.s3, bronze.bucket, object_keys.silver_prefix(bronze, VERSION)))


def versions(transformer: Transformer, key: str) -> int:
    """How often an object was written."""
    found = transformer.s3.list_object_versions(Bucket=transformer.bucket, Prefix=key).get("Versions", [])
    return len(found)


def load(transformer: Transformer, database: Engine, bronze: ObjectId) -> None:
    """Everything that was made of an object."""
    for made_of in (object_keys.silver_key(bronze, VERSION, 1), object_keys.quarantine_key(bronze, VERSION, 1)):
        for key in sorted(objects.list_keys(transformer.s3, bronze.bucket, f"{made_of.rpartition('-')[0]}-")):
            loader.load(transformer.s3, database, ObjectId(bronze.bucket, key))


def test_an_object_of_several_batches_is_loaded_completely_and_counted_once_each(
    transformer: Transformer, database: Engine
) -> None:
    records = [posting(1), posting(2), posting(3), BAD, posting(5), posting(6), posting(7)]
    bronze = put(transformer, "several.jsonl", lines(*records))
    assert transformer.handle(event(bronze, 1)) == "refined"
    load(transformer, database, bronze)
    assert sorted(titles(database)) == [1, 2, 3, 5, 6, 7]
    assert [row[:2] for row in counts(database)] == [(2, 2), (2, 1), (2, 2), (1, 1)]
    with database.connect() as connection:
        rows = connection.execute(
            text("select batch, is_last_batch, read, quarantined from ops.loaded_object order by batch")
        ).all()
        rejected = connection.execute(text("select record_index, rule from ops.quarantine")).all()
    assert [tuple(row) for row in rows] == [(1, False, 2, 0), (2, False, 2, 1), (3, False, 2, 0), (4, True, 1, 0)]
    assert [tuple(row) for row in rejected] == [(3, "int_parsing")]


def test_the_keys_of_batches_and_their_headers_are_numbered(transformer: Transformer) -> None:
    bronze = put(transformer, "numbered.jsonl", lines(posting(1), posting(2), BAD))
    transformer.transform_object(bronze)
    assert [key.rpartition("/")[2][17:] for key in made(transformer, bronze)] == [
        f"v{VERSION}-00001.parquet",
        f"v{VERSION}-00002.parquet",
    ]
    bodies = [
        objects.get(transformer.s3, ObjectId(bronze.bucket, key), 1 << 20).body for key in made(transformer, bronze)
    ]
    headers = [silver.read(body)[0] for body in bodies]
    assert [(header.batch, header.last, header.counts.read) for header in headers] == [(1, False, 2), (2, True, 1)]
    key = object_keys.quarantine_key(bronze, VERSION, 2)
    (entry,) = quarantine.read(objects.get(transformer.s3, ObjectId(bronze.bucket, key), 1 << 20).body)
    assert (entry.record_index, entry.natural_key) == (2, "x")


def test_a_message_received_again_makes_only_the_batches_that_are_missing(
    transformer: Transformer, database: Engine
) -> None:
    bronze = put(transformer, "crash.jsonl", lines(*map(posting, range(1, 6))))
    with pytest.raises(KeyboardInterrupt):
        replace(transformer, s3=Dying(transformer.s3)).handle(event(bronze, 1))  # type: ignore[arg-type]
    assert len(made(transformer, bronze)) == 1
    assert transformer.handle(event(bronze, 2)) == "refined"
    assert [versions(transformer, key) for key in made(transformer, bronze)] == [1, 1, 1]
    load(transformer, database, bronze)
    assert sorted(titles(database)) == [1, 2, 3, 4, 5]
    assert [row[1] for row in counts(database)] == [2, 2, 1]


def test_a_message_received_for_the_first_time_makes_all_batches_again(transformer: Transformer) -> None:
    bronze = put(transformer, "twice.jsonl", lines(*map(posting, range(1, 4))))
    transformer.handle(event(bronze, 1))
    transformer.handle(event(bronze, 1))
    assert [versions(transformer, key) for key in made(transformer, bronze)] == [2, 2]


def test_batches_before_one_that_is_refused_are_kept(
    transformer: Transformer, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "batched", partial(batched, max_records=20))
    bronze = put(transformer, "refused.jsonl", lines(*map(posting, range(1, 21)), *[BAD] * 20, posting(99)))
    with pytest.raises(PermanentError, match="20 of 20 records failed, most often int_parsing"):
        transformer.handle(event(bronze, 1))
    load(transformer, database, bronze)
    assert len(titles(database)) == 20
    with database.connect() as connection:
        assert connection.scalar(text("select count(*) from ops.quarantine")) == 0


def test_a_page_whose_bytes_are_not_those_that_were_stored_is_tried_again(transformer: Transformer) -> None:
    body = json.dumps({"SearchResult": {"SearchResultItems": []}}).encode()
    bronze = put(transformer, "date=2026-01-01/page.json", body, sha256="0" * 64)
    with pytest.raises(TransientError, match="not those that were stored"):
        transformer.handle(event(bronze, 1))


def test_what_a_person_says_of_an_upload_s_bytes_does_not_matter(transformer: Transformer) -> None:
    body = json.dumps({"SearchResult": {"SearchResultItems": []}}).encode()
    assert transformer.handle(event(put(transformer, "signed.json", body, sha256="0" * 64), 1)) == "refined"


@pytest.mark.parametrize("name", ["uploads/folder/", "folder/"])
def test_a_folder_is_ignored(transformer: Transformer, name: str) -> None:
    assert transformer.handle(event(put(transformer, name, b""), 1)) == "ignored"


def test_an_object_without_records_is_one_batch_without_rows(transformer: Transformer, database: Engine) -> None:
    bronze = put(transformer, "none.json", json.dumps({"SearchResult": {"SearchResultItems": []}}).encode())
    transformer.handle(event(bronze, 1))
    load(transformer, database, bronze)
    assert counts(database) == [(0, 0, 0, 0, 0)]


def test_a_page_that_has_fewer_records_than_it_says_is_loaded_with_a_warning(
    transformer: Transformer, database: Engine
) -> None:
    page = {"SearchResult": {"SearchResultCount": 4, "SearchResultItems": [*map(posting, range(1, 4))]}}
    bronze = put(transformer, "short.json", json.dumps(page).encode())
    transformer.handle(event(bronze, 1))
    load(transformer, database, bronze)
    with database.connect() as connection:
        warnings = [
            row.warnings for row in connection.execute(text("select warnings from ops.loaded_object order by batch"))
        ]
    assert [[one["rule"] for one in found] for found in warnings] == [[], ["row_count"]]
