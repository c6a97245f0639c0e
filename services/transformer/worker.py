"""The transformer: bronze object in, silver batch and quarantine out."""

from typing import TYPE_CHECKING, Any

import boto3
import structlog

from services.transformer.bounds import Bounds
from services.transformer.decode import Decoded, decode
from services.transformer.transform import Batch, transform
from shared import objects, quarantine, silver
from shared.datasets import contract
from shared.engine import worker
from shared.engine.delivery import Handler
from shared.engine.message import Message
from shared.events import created_objects
from shared.failpoint import failpoint
from shared.objects import Content, ObjectId, SupersededError
from shared.observation import observed_at
from shared.quarantine import Rejected
from shared.settings import Settings
from shared.silver import Counts, Header

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger()


def bootstrap(settings: Settings) -> Handler:
    """Compose the handler: it needs nothing but S3."""
    s3: S3Client = boto3.client("s3")
    bounds = Bounds.of(settings)
    return lambda message: handle(message, s3, bounds)


def handle(message: Message, s3: "S3Client", bounds: Bounds) -> str:
    """Refine every object that the event names."""
    outcomes = {refine(s3, bronze, bounds) for bronze in created_objects(message.body)}
    return ", ".join(sorted(outcomes)) or "ignored"


def refine(s3: "S3Client", bronze: ObjectId, bounds: Bounds) -> str:
    """One bronze object: read, transform, write. Quarantine goes first: silver's counts promise that it is there."""
    dataset = objects.dataset_of(bronze.key)
    if bronze.key.endswith("/"):
        return "ignored"  # the S3 console's "folder"
    raw = contract.raw(dataset)
    try:
        content = objects.get(s3, bronze, bounds.stored)
    except SupersededError:
        return "superseded"
    decoded = decode(content.body, bounds.expanded)
    records = raw.page(decoded.payload).records
    batch = transform(dataset, records, bounds)
    failpoint("transformer.gated")
    header = _header(dataset, bronze, content, decoded, batch)
    if batch.problems:
        _quarantine(s3, header, batch, records)
    key = objects.silver_key(bronze, header.transform_version)
    body = silver.write(batch.frame, header)
    objects.put(s3, bronze.bucket, key, body, "application/vnd.apache.parquet")
    log.info("silver.written", dataset=dataset, key=key, run_id=header.run_id, **header.counts.model_dump())
    return "refined"


def _header(dataset: str, bronze: ObjectId, content: Content, decoded: Decoded, batch: Batch) -> Header:
    page: dict[str, Any] = {} if objects.is_upload(bronze.key) else decoded.ingest
    return Header(
        dataset=dataset,
        transform_version=contract.normalise(dataset).VERSION,
        source=bronze,
        observed_at=observed_at(decoded.date, content.last_modified),
        run_id=page.get("run_id"),
        part=page.get("part"),
        page=page.get("page"),
        counts=Counts(
            read=len(batch.frame) + len(batch.problems), valid=len(batch.frame), quarantined=len(batch.problems)
        ),
    )


def _quarantine(s3: "S3Client", header: Header, batch: Batch, records: Any) -> None:
    rejected = [
        Rejected(
            dataset=header.dataset,
            source=header.source,
            transform_version=header.transform_version,
            run_id=header.run_id,
            record_index=index,
            problems=problems,
            raw=quarantine.raw_text(records[index]),
        )
        for index, problems in sorted(batch.problems.items())
    ]
    key = objects.quarantine_key(header.source, header.transform_version)
    objects.put(s3, header.source.bucket, key, quarantine.write(rejected), "application/x-ndjson")
    log.warning("quarantine.written", dataset=header.dataset, key=key, run_id=header.run_id, records=len(rejected))


if __name__ == "__main__":
    worker.run("transformer", bootstrap)
