"""The transformer: a page, an upload or a replay in, silver batches and quarantine out."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import boto3
import structlog

from services.transformer import batch_rules, formats
from services.transformer.batching import RecordBatch, batched
from services.transformer.gate import Problems
from services.transformer.input_limits import InputLimits
from services.transformer.provenance import Provenance, provenance_of
from services.transformer.quarantine_entries import quarantine_entries
from services.transformer.transform import HashLookup, nothing_known, transform
from shared import telemetry
from shared.cache.content_hashes import ContentHashCache
from shared.config.settings import IGNORED_FILES, Settings
from shared.datasets import consistency, definition, registry
from shared.engine import worker
from shared.engine.consumer import Handler
from shared.engine.message import Message
from shared.failpoint import failpoint
from shared.formats import quarantine, silver
from shared.formats.s3_events import IN_FULL, created_objects
from shared.storage import object_keys, objects
from shared.storage.litter import litter
from shared.storage.object_id import ObjectId
from shared.storage.objects import Stream, SupersededError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger()


@dataclass(frozen=True)
class Transformer:
    """What the handler works with."""

    s3: "S3Client"
    bucket: str
    bounds: InputLimits
    known: ContentHashCache | None = None  # without it every record is looked at in full
    keep_raw: bool = False
    ignored_files: tuple[str, ...] = IGNORED_FILES

    def handle(self, message: Message) -> str:
        """Refine every object that the event names."""
        again, in_full = message.was_tried, IN_FULL in message.attributes
        outcomes = {self.refine(bronze, again=again, in_full=in_full) for bronze in created_objects(message.body)}
        return ", ".join(sorted(outcomes)) or "ignored"

    def refine(self, bronze: ObjectId, *, again: bool = False, in_full: bool = False) -> str:
        """One bronze object, batch by batch. Tried `again`, it leaves out the batches that are there already.

        `in_full` no record is left out because it is known.
        """
        objects.require_bucket(bronze, self.bucket)
        if object_keys.is_upload(bronze.key) and (pattern := litter(bronze.key, self.ignored_files)):
            log.info("upload.ignored", key=bronze.key, pattern=pattern)
            return "ignored"
        began = time.time_ns()
        try:
            with self._opened(bronze) as stream:
                if object_keys.is_folder(bronze, stream.size):
                    return "ignored"
                with telemetry.of_object("transformer", stream.metadata, began, key=bronze.key, bytes=stream.size):
                    identified = objects.identified(bronze, stream)
                    self._refine(identified, stream, again=again and not in_full, in_full=in_full)
        except SupersededError:
            return "superseded"
        return "refined"

    def _refine(self, bronze: ObjectId, stream: Stream, *, again: bool, in_full: bool) -> None:
        dataset = object_keys.dataset_of(bronze.key)
        registry.check_name(dataset)
        definition.refuse_changed(dataset)
        consistency.check(dataset)
        content = formats.read(bronze.key, stream.body, registry.dataset(dataset), self.bounds)
        origin = provenance_of(dataset, bronze, content, stream.last_modified)
        stem = object_keys.silver_prefix(bronze, origin.transform_version)
        look_up = partial(self.known.look_up, dataset) if self.known and not in_full else nothing_known
        done = objects.list_keys(self.s3, self.bucket, stem) if again else frozenset()
        telemetry.set_span_attributes(dataset=dataset, run_id=origin.ingest.run_id if origin.ingest else None)
        for part in telemetry.traced_iter("transformer.parse", batched(content.records)):
            key = object_keys.silver_key(bronze, origin.transform_version, part.number)
            if key not in done:
                self._batch(origin, part, key, look_up)

    def _batch(self, origin: Provenance, part: RecordBatch, key: str, look_up: HashLookup) -> None:
        """Quarantine first: silver's counts promise that it is there."""
        with telemetry.span("transformer.transform", batch=part.number):
            batch = transform(origin.dataset, part.records, part.first, self.bounds, look_up, keep_raw=self.keep_raw)
            telemetry.set_span_attributes(valid=len(batch.frame), quarantined=len(batch.problems))
        with telemetry.span("transformer.gate", batch=part.number):
            batch_rules.refuse_failed(batch.problems, len(part.records), registry.dataset(origin.dataset).limits)
        failpoint("transformer.gated")
        header = origin.header(part, batch)
        if batch.problems:
            self._quarantine(origin, part, batch.problems)
        objects.put(self.s3, self.bucket, key, silver.write(batch.frame, header), "application/vnd.apache.parquet")
        log.info("silver.written", dataset=origin.dataset, key=key, run_id=header.run_id, **header.counts.model_dump())

    def _quarantine(self, origin: Provenance, part: RecordBatch, problems: Problems) -> None:
        key = object_keys.quarantine_key(origin.bronze, origin.transform_version, part.number)
        body = quarantine.write(quarantine_entries(origin, part, problems, self.bounds))
        objects.put(self.s3, self.bucket, key, body, "application/x-ndjson")
        log.warning("quarantine.written", dataset=origin.dataset, key=key, records=len(problems))

    @contextmanager
    def _opened(self, bronze: ObjectId) -> Iterator[Stream]:
        """Uploads may be of any size and come as they are; what is ours is small, and its checksum is compared."""
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
    """The transformer on S3, with Redis for what is known."""
    known = ContentHashCache(settings.redis_url.get_secret_value())
    s3, bounds = boto3.client("s3"), InputLimits.of(settings)
    return Transformer(s3, settings.bucket, bounds, known, settings.keep_raw, settings.ignored_files)


def bootstrap(settings: Settings) -> Handler:
    """Compose the handler."""
    return compose(settings).handle


if __name__ == "__main__":
    worker.run("transformer", bootstrap, consistency.check_all)
