"""Compares the bucket with the ledger, names what is missing at which hop, and sends exactly that on its way again.

A sweeper behind every hand-off: an event that was lost, a message that was dropped, a page that was never fetched.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from services.ops import dead_letters, versions
from services.ops.connections import Connections
from services.ops.versions import Stored
from shared import litter, objects
from shared.database.ops_tables import OBJECT, QUARANTINE, RUN, whole_objects
from shared.datasets import contract
from shared.errors import PermanentError
from shared.events import PageCommand, created_event, created_objects
from shared.objects import ObjectId
from shared.run_plan import RunPlan
from shared.topology import BRONZE_PREFIX, NOTIFICATIONS, PLANS_PREFIX, SILVER_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Missing:
    """What the ledger lacks: objects whose event must be sent again, and pages that were planned and never fetched."""

    objects: tuple[ObjectId, ...]
    pages: tuple[PageCommand, ...]


def audit(connections: Connections, since: timedelta | None = None) -> Missing:
    """What is in the bucket, or in a plan, but not in the ledger. What is under way at the moment counts as missing.

    Left out is what a dead letter stands for, which waits for an operator, and what is not to be loaded.
    With `since` also what is older: objects stored and runs planned before; the bucket is listed whole all the same.
    """
    s3, bucket = connections.s3, connections.settings.bucket
    begin = EVER if since is None else datetime.now(UTC) - since
    dead = {letter.body for letter in dead_letters.survey(connections).letters}
    dead_objects = {(stored.key, stored.version) for body in dead for stored in _objects_in(body)}
    dead_stems = {key.rpartition("-")[0] + "-" for key, _ in dead_objects if key.startswith(SILVER_PREFIX)}
    with connections.database.connect() as connection:
        missing = [
            *_not_loaded(connection, s3, bucket, begin),
            *_not_planned(connection, s3, bucket, begin),
            *_quarantine_not_loaded(connection, begin),
        ]
        pages = list(_pages_not_fetched(connection, s3, bucket, begin))
    return Missing(
        objects=tuple(
            stored
            for stored in missing
            if not litter.is_ignored(stored.key, connections.settings.ignored_files)
            and (stored.key, stored.version) not in dead_objects
            and _silver_stem(stored) not in dead_stems
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


def _not_loaded(connection: Connection, s3: "S3Client", bucket: str, begin: datetime) -> Iterator[ObjectId]:
    for together in versions.listed(s3, bucket, BRONZE_PREFIX):
        whole = whole_objects().where(OBJECT.c.key.in_({stored.object.key for stored in together}))
        known = {(row.key, row.version) for row in connection.execute(whole)}
        if known.issuperset((stored.object.key, stored.object.version) for stored in together):
            continue
        for stored in versions.ordered(connection, together):
            if stored.stored_at >= begin and (stored.object.key, stored.object.version) not in known:
                yield stored.object


def _not_planned(connection: Connection, s3: "S3Client", bucket: str, begin: datetime) -> Iterator[ObjectId]:
    runs = connection.execute(select(RUN.c.dataset, RUN.c.run_id))
    known = {objects.plan_key(dataset, run_id) for dataset, run_id in runs}
    for together in versions.listed(s3, bucket, PLANS_PREFIX):
        yield from (stored.object for stored in together if _is_news(stored, begin, known))


def _is_news(stored: Stored, begin: datetime, known: set[str]) -> bool:
    return stored.stored_at >= begin and stored.object.key not in known


def _quarantine_not_loaded(connection: Connection, begin: datetime) -> Iterator[ObjectId]:
    """Quarantine objects that the ledger counts records of, while not all of them have been seen."""
    identity = ("bucket", "key", "version", "transform_version")
    counted = OBJECT.alias()
    arrived = select(func.count()).where(*(QUARANTINE.c[name] == OBJECT.c[name] for name in identity)).scalar_subquery()
    rejected = select(func.sum(counted.c.quarantined)).where(*(counted.c[name] == OBJECT.c[name] for name in identity))
    unseen = select(OBJECT).where(OBJECT.c.quarantined > 0, arrived < rejected.scalar_subquery())
    for row in connection.execute(unseen.where(OBJECT.c.loaded_at >= begin)):
        # Whether the ledger's version is S3's or an eTag makes no difference to the key.
        bronze = ObjectId(row.bucket, row.key, version_id=row.version)
        yield ObjectId(row.bucket, objects.quarantine_key(bronze, row.transform_version, row.batch))


def _pages_not_fetched(connection: Connection, s3: "S3Client", bucket: str, begin: datetime) -> Iterator[PageCommand]:
    for row in connection.execute(select(RUN).where(RUN.c.completed_at.is_(None), RUN.c.planned_at >= begin)):
        whole = whole_objects().where(OBJECT.c.run_id == row.run_id).subquery()
        pages = select(whole.c.part, whole.c.page, whole.c.part_pages)
        loaded = {(part, page): part_pages for part, page, part_pages in connection.execute(pages)}
        plan = RunPlan.model_validate(row._asdict())
        yield from plan.sendable(page for page in plan.missing(loaded) if not _is_stored(s3, bucket, page))


def _is_stored(s3: "S3Client", bucket: str, page: PageCommand) -> bool:
    """Whether the page is in bronze: then its event is what is missing, not the page."""
    return objects.exists(s3, bucket, objects.page_key(page.dataset, page.run_id, page.part, page.page))
