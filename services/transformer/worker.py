"""The transformer: turns pages, uploads and replays into silver batches and quarantine entries."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import boto3
import structlog

from services.transformer import batch_rules, cursors, formats
from services.transformer.batching import RecordBatch, batched
from services.transformer.cursors import NO_CURSOR, BatchCursor
from services.transformer.gate import Problems
from services.transformer.input_limits import InputLimits
from services.transformer.provenance import Provenance, provenance_of, stored_at
from services.transformer.quarantine_entries import quarantine_entries
from services.transformer.transform import HashLookup, no_hashes, transform
from shared import telemetry
from shared.cache.content_hashes import ContentHashCache
from shared.config.settings import IGNORED_FILES, Settings
from shared.datasets import consistency, definition, registry
from shared.datasets.ignored_uploads import ignored_by
from shared.engine import worker
from shared.engine.consumer import Handler
from shared.engine.message import Message
from shared.failpoint import failpoint
from shared.formats import quarantine, silver
from shared.formats.s3_events import IN_FULL, created_objects
from shared.storage import object_keys, objects
from shared.storage.object_id import ObjectId
from shared.storage.objects import Stream, SupersededError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger()


@dataclass(frozen=True)
class Transformer:
    """The handler and its dependencies."""

    s3: "S3Client"
    bucket: str
    bounds: InputLimits
    hash_cache: ContentHashCache | None = None  # without it every record is transformed in full
    keep_raw: bool = False
    ignored_files: tuple[str, ...] = IGNORED_FILES

    def handle(self, message: Message) -> str:
        """Transform every object that the event names."""
        is_retry, in_full = message.was_tried, IN_FULL in message.attributes
        outcomes = {
            self.transform_object(bronze, is_retry=is_retry, in_full=in_full)
            for bronze in created_objects(message.body)
        }
        return ", ".join(sorted(outcomes)) or "ignored"

    def transform_object(self, bronze: ObjectId, *, is_retry: bool = False, in_full: bool = False) -> str:
        """Transform one bronze object, batch by batch. A retry skips batches that exist already.

        With `in_full` no record becomes a hash-only row.
        """
        objects.require_bucket(bronze, self.bucket)
        if pattern := ignored_by(bronze.key, self.ignored_files):
            log.info("upload.ignored", key=bronze.key, pattern=pattern)
            return "ignored"
        began = time.time_ns()
        try:
            with self._opened(bronze) as stream:
                if object_keys.is_folder(bronze, stream.size):
                    return "ignored"
                with telemetry.object_span("transformer", stream.metadata, began, key=bronze.key, bytes=stream.size):
                    identified = objects.identified(bronze, stream)
                    self._transform_stream(identified, stream, is_retry=is_retry and not in_full, in_full=in_full)
        except SupersededError:
            return "superseded"
        return "refined"

    def _transform_stream(self, bronze: ObjectId, stream: Stream, *, is_retry: bool, in_full: bool) -> None:
        dataset = object_keys.dataset_of(bronze.key)
        registry.check_name(dataset)
        definition.refuse_changed(dataset)
        consistency.check(dataset)
        content = formats.read(bronze.key, stream.body, registry.dataset(dataset), self.bounds)
        provenance = provenance_of(dataset, bronze, content, stored_at(bronze.key, stream))
        stem = object_keys.silver_prefix(bronze, provenance.transform_version)
        look_up = partial(self.hash_cache.look_up, dataset) if self.hash_cache and not in_full else no_hashes
        done = objects.list_keys(self.s3, self.bucket, stem) if is_retry else frozenset()
        telemetry.set_span_attributes(dataset=dataset, run_id=provenance.ingest.run_id if provenance.ingest else None)
        for batch in telemetry.traced_iter("transformer.parse", batched(content.records)):
            key = object_keys.silver_key(bronze, provenance.transform_version, batch.number)
            if key not in done:
                self._batch(provenance, batch, key, look_up)

    def _batch(self, provenance: Provenance, batch: RecordBatch, key: str, look_up: HashLookup) -> None:
        """Transform and store one batch. Quarantine is written first, as silver's counts include it."""
        with telemetry.span("transformer.transform", batch=batch.number):
            result = transform(
                provenance.dataset,
                batch.records,
                batch.first,
                self.bounds,
                look_up,
                keep_raw=self.keep_raw,
                record_ids=provenance.record_id if registry.dataset(provenance.dataset).appends else None,
            )
            telemetry.set_span_attributes(valid=len(result.frame), quarantined=len(result.problems))
        with telemetry.span("transformer.gate", batch=batch.number):
            batch_rules.require_few_failures(
                result.problems, len(batch.records), registry.dataset(provenance.dataset).limits
            )
        failpoint("transformer.gated")
        header = provenance.header(batch, result, self._cursor(provenance, batch))
        if result.problems:
            self._quarantine(provenance, batch, result.problems)
        objects.put(self.s3, self.bucket, key, silver.write(result.frame, header), "application/vnd.apache.parquet")
        log.info(
            "silver.written", dataset=provenance.dataset, key=key, run_id=header.run_id, **header.counts.model_dump()
        )

    def _cursor(self, provenance: Provenance, batch: RecordBatch) -> BatchCursor:
        cursor = registry.dataset(provenance.dataset).cursor if provenance.ingest else None
        return NO_CURSOR if cursor is None else cursors.of_batch(batch.records, cursor, self.bounds)

    def _quarantine(self, provenance: Provenance, batch: RecordBatch, problems: Problems) -> None:
        key = object_keys.quarantine_key(provenance.bronze, provenance.transform_version, batch.number)
        body = quarantine.write(quarantine_entries(provenance, batch, problems, self.bounds))
        objects.put(self.s3, self.bucket, key, body, "application/x-ndjson")
        log.warning("quarantine.written", dataset=provenance.dataset, key=key, records=len(problems))

    @contextmanager
    def _opened(self, bronze: ObjectId) -> Iterator[Stream]:
        """Stream an upload; read other objects at once, which are small and have a checksum."""
        if object_keys.is_upload(bronze.key):
            with objects.opened(self.s3, bronze, self.bounds.stored) as stream:
                yield stream
        else:
            content = objects.get(self.s3, bronze, self.bounds.document + formats.ENVELOPE)
            body = io.BufferedReader(io.BytesIO(content.body))
            yield Stream(
                body, len(content.body), content.last_modified, content.metadata, content.version_id, content.etag
            )


def compose(settings: Settings) -> Transformer:
    """Compose the transformer from S3 and the Redis cache of content hashes."""
    hash_cache = ContentHashCache(settings.redis_url.get_secret_value())
    s3, bounds = boto3.client("s3"), InputLimits.of(settings)
    return Transformer(s3, settings.bucket, bounds, hash_cache, settings.keep_raw, settings.ignored_files)


def bootstrap(settings: Settings) -> Handler:
    """Compose the handler."""
    return compose(settings).handle


if __name__ == "__main__":
    worker.run("transformer", bootstrap, consistency.check_all)
