"""The transformer: bronze object in, silver batch and quarantine out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import boto3
import structlog
from pydantic import BaseModel, ValidationError

from services.transformer.bounds import Bounds
from services.transformer.decode import Decoded, decode
from services.transformer.transform import Batch, transform
from shared import objects, quarantine, silver
from shared.datasets import contract
from shared.engine import worker
from shared.engine.delivery import Handler
from shared.engine.message import Message
from shared.errors import PermanentError
from shared.events import created_objects
from shared.failpoint import failpoint
from shared.fields import Ordinal, RunId
from shared.objects import ObjectId, SupersededError
from shared.observation import observed_at
from shared.quarantine import Rejected
from shared.settings import Settings
from shared.silver import Counts, Header

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger()


class Ingest(BaseModel):
    """Which page of a run an envelope is."""

    run_id: RunId
    part: Ordinal
    page: Ordinal


@dataclass(frozen=True)
class Transformer:
    """What the handler works with."""

    s3: "S3Client"
    bucket: str
    bounds: Bounds

    def handle(self, message: Message) -> str:
        """Refine every object that the event names."""
        outcomes = {self.refine(bronze) for bronze in created_objects(message.body)}
        return ", ".join(sorted(outcomes)) or "ignored"

    def refine(self, bronze: ObjectId) -> str:
        """One bronze object: read, transform, write. Quarantine first: silver's counts promise that it is there."""
        objects.refuse_strangers(bronze, self.bucket)
        try:
            content = objects.get(self.s3, bronze, self.bounds.stored)
        except SupersededError:
            return "superseded"
        if objects.is_folder(bronze, content):
            return "ignored"
        dataset = objects.dataset_of(bronze.key)
        raw = contract.raw(dataset)
        decoded = decode(content.body, self.bounds.expanded)
        ingest = _ingest(bronze, decoded)
        records = raw.page(decoded.payload).records
        batch = transform(dataset, records, self.bounds)
        failpoint("transformer.gated")
        header = _header(dataset, bronze, observed_at(decoded.date, content.last_modified), ingest, batch)
        if batch.problems:
            self._quarantine(header, batch, records)
        key = objects.silver_key(bronze, header.transform_version)
        body = silver.write(batch.frame, header)
        objects.put(self.s3, bronze.bucket, key, body, "application/vnd.apache.parquet")
        log.info("silver.written", dataset=dataset, key=key, run_id=header.run_id, **header.counts.model_dump())
        return "refined"

    def _quarantine(self, header: Header, batch: Batch, records: Sequence[object]) -> None:
        rejected = [
            Rejected(
                dataset=header.dataset,
                source=header.source,
                transform_version=header.transform_version,
                run_id=header.run_id,
                record_index=index,
                problems=problems,
                raw=quarantine.raw_text(records[index], self.bounds.record),
            )
            for index, problems in sorted(batch.problems.items())
        ]
        key = objects.quarantine_key(header.source, header.transform_version)
        objects.put(self.s3, header.source.bucket, key, quarantine.write(rejected), "application/x-ndjson")
        log.warning("quarantine.written", dataset=header.dataset, key=key, run_id=header.run_id, records=len(rejected))


def bootstrap(settings: Settings) -> Handler:
    """Compose the transformer: it needs nothing but S3."""
    return Transformer(boto3.client("s3"), settings.bucket, Bounds.of(settings)).handle


def _ingest(bronze: ObjectId, decoded: Decoded) -> Ingest | None:
    """Which page of a run this is; an upload is none, whatever its envelope says. Raises PermanentError."""
    if objects.is_upload(bronze.key) or not decoded.ingest:
        return None
    try:
        return Ingest.model_validate(decoded.ingest)
    except ValidationError as error:
        message = f"{bronze.key}: not the envelope of a page: {error.errors(include_url=False)[0]['msg']}"
        raise PermanentError(message) from None


def _header(dataset: str, bronze: ObjectId, seen_at: datetime, ingest: Ingest | None, batch: Batch) -> Header:
    valid, quarantined = len(batch.frame), len(batch.problems)
    return Header(
        dataset=dataset,
        transform_version=contract.normalise(dataset).VERSION,
        source=bronze,
        observed_at=seen_at,
        run_id=ingest.run_id if ingest else None,
        part=ingest.part if ingest else None,
        page=ingest.page if ingest else None,
        counts=Counts(read=valid + quarantined, valid=valid, quarantined=quarantined),
    )


if __name__ == "__main__":
    worker.run("transformer", bootstrap)
