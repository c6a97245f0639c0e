"""Compares the bucket with the ledger, names what is missing at which hop, and sends exactly that on its way again.

A sweeper behind every hand-off: an event that was lost, a message that was dropped, a page that was never fetched.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from services.ops import dead_letters
from services.ops.connections import Connections
from shared import objects
from shared.database.ops_tables import OBJECT, QUARANTINE, RUN, whole_objects
from shared.datasets import contract
from shared.errors import PermanentError
from shared.events import PageCommand, created_event, created_objects
from shared.objects import ObjectId
from shared.run_plan import RunPlan
from shared.topology import BRONZE_PREFIX, NOTIFICATIONS, PLANS_PREFIX, SILVER_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Missing:
    """What the ledger lacks: objects whose event must be sent again, and pages that were planned and never fetched."""

    objects: tuple[ObjectId, ...]
    pages: tuple[PageCommand, ...]


def audit(connections: Connections) -> Missing:
    """What is in the bucket, or in a plan, but not in the ledger. What is under way at the moment counts as missing.

    Left out is what a dead letter stands for: it is not lost, it waits for an operator.
    """
    s3, bucket = connections.s3, connections.settings.bucket
    dead = {letter.body for letter in dead_letters.look(connections)}
    dead_objects = {(stored.key, stored.version) for body in dead for stored in _objects_in(body)}
    dead_stems = {key.rpartition("-")[0] + "-" for key, _ in dead_objects if key.startswith(SILVER_PREFIX)}
    with connections.database.connect() as connection:
        missing = [
            *(stored for page in _stored(s3, bucket, BRONZE_PREFIX) for stored in _not_loaded(connection, page)),
            *(stored for page in _stored(s3, bucket, PLANS_PREFIX) for stored in _not_planned(connection, page)),
            *_quarantine_not_loaded(connection),
        ]
        pages = list(_pages_not_fetched(connection, s3, bucket))
    return Missing(
        objects=tuple(
            stored
            for stored in missing
            if (stored.key, stored.version) not in dead_objects and _silver_stem(stored) not in dead_stems
        ),
        pages=tuple(page for page in pages if page.model_dump_json() not in dead),
    )


def repair(connections: Connections, missing: Missing) -> int:
    """Send the events and page commands again; how many. Safe at any time: all of them may be handled twice."""
    settings = connections.settings
    for stored in missing.objects:
        queue = next(queue for prefix, queue in NOTIFICATIONS.items() if stored.key.startswith(prefix))
        connections.sqs.send_message(QueueUrl=settings.queue_url(queue), MessageBody=created_event(stored))
    for page in missing.pages:
        connections.sqs.send_message(QueueUrl=settings.extract_queue_url, MessageBody=page.model_dump_json())
    return len(missing.objects) + len(missing.pages)


def _silver_stem(stored: ObjectId) -> str | None:
    """What is made of a bronze object may be a dead letter in its place."""
    if not stored.key.startswith(BRONZE_PREFIX):
        return None
    try:
        version = contract.normalise(objects.dataset_of(stored.key)).VERSION
    except PermanentError:  # no such dataset
        return None
    return objects.silver_stem(stored, version)


def _objects_in(body: str) -> list[ObjectId]:
    try:
        return created_objects(body)
    except PermanentError:
        return []


def _stored(s3: "S3Client", bucket: str, prefix: str) -> Iterator[list[ObjectId]]:
    """All objects under a prefix, overwritten ones too: each was accepted. Up to a thousand at a time."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        yield [
            ObjectId(bucket, version["Key"], version.get("VersionId"), version["ETag"].strip('"'))
            for version in page.get("Versions", [])
            if version["Size"] or not version["Key"].endswith("/")  # the S3 console's "folders"
        ]


def _not_loaded(connection: Connection, page: list[ObjectId]) -> Iterator[ObjectId]:
    whole = whole_objects().where(OBJECT.c.key.in_([stored.key for stored in page]))
    known = {(row.key, row.version) for row in connection.execute(whole)}
    return (stored for stored in page if (stored.key, stored.version) not in known)


def _not_planned(connection: Connection, page: list[ObjectId]) -> Iterator[ObjectId]:
    known = {
        objects.plan_key(dataset, run_id) for dataset, run_id in connection.execute(select(RUN.c.dataset, RUN.c.run_id))
    }
    return (stored for stored in page if stored.key not in known)


def _quarantine_not_loaded(connection: Connection) -> Iterator[ObjectId]:
    """Quarantine objects that the ledger counts records of, while not all of them have been seen."""
    identity = ("bucket", "key", "version", "transform_version")
    counted = OBJECT.alias()
    arrived = select(func.count()).where(*(QUARANTINE.c[name] == OBJECT.c[name] for name in identity)).scalar_subquery()
    rejected = select(func.sum(counted.c.quarantined)).where(*(counted.c[name] == OBJECT.c[name] for name in identity))
    unseen = select(OBJECT).where(OBJECT.c.quarantined > 0, arrived < rejected.scalar_subquery())
    for row in connection.execute(unseen):
        # Whether the ledger's version is S3's or an eTag makes no difference to the key.
        bronze = ObjectId(row.bucket, row.key, version_id=row.version)
        yield ObjectId(row.bucket, objects.quarantine_key(bronze, row.transform_version, row.batch))


def _pages_not_fetched(connection: Connection, s3: "S3Client", bucket: str) -> Iterator[PageCommand]:
    for row in connection.execute(select(RUN).where(RUN.c.completed_at.is_(None))):
        whole = whole_objects().where(OBJECT.c.run_id == row.run_id).subquery()
        pages = select(whole.c.part, whole.c.page, whole.c.part_pages)
        loaded = {(part, page): part_pages for part, page, part_pages in connection.execute(pages)}
        plan = RunPlan.model_validate(row._asdict())
        yield from plan.sendable(page for page in plan.missing(loaded) if not _is_stored(s3, bucket, page))


def _is_stored(s3: "S3Client", bucket: str, page: PageCommand) -> bool:
    """Whether the page is in bronze: then its event is what is missing, not the page."""
    return objects.exists(s3, bucket, objects.page_key(page.dataset, page.run_id, page.part, page.page))
