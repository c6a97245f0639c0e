"""Compares the bucket with the ledger, names what is missing at which hop, and sends exactly that again.

Covers every hand-off: lost events, dropped messages, and pages that were never fetched.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, Row, func, select

from services.ops.connections import Connections
from services.ops.dlq import dead_letters
from services.ops.dlq.index import DeadLetterIndex
from services.ops.dlq.lease import VISIBILITY_SECONDS
from services.ops.reconcile import sequencers
from services.ops.reconcile.orphans import orphaned_rows
from services.ops.runs import stored_pages
from services.ops.runs.stored_pages import MissingPage
from shared.config.topology import PLANS_PREFIX, RAW_PREFIXES, queue_for_key
from shared.database.ops_tables import LOADED_OBJECT, QUARANTINE, RUN, fully_loaded_objects
from shared.datasets import registry
from shared.datasets.ignored_uploads import ignored_by
from shared.formats.commands import PageCommand
from shared.formats.s3_events import created_event
from shared.storage import object_keys, versions
from shared.storage.object_id import ObjectId
from shared.storage.versions import ObjectVersion

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class StuckPage:
    """A page of an incomplete run that cannot proceed. `key` is that of its bronze object, if any.

    Dead letters wait for an operator. Unreadable pages are fetched again by the command `fetch`, if possible now.
    """

    page: PageCommand
    state: Literal["unreadable", "dead letter"]
    reason: str
    key: str | None
    fetch: PageCommand | None = None


@dataclass(frozen=True)
class Missing:
    """What is missing from the ledger.

    `objects` whose event must be sent again, `pages` that were never fetched, and `stuck` pages (unreadable, or dead
    letters). While `unseen` dead letters are held by another process, any of them may be about a missing item: nothing
    is reported as missing, and `undecided` counts these objects and pages. `orphans` is {child table: orphaned rows}.
    """

    objects: tuple[ObjectId, ...]
    pages: tuple[PageCommand, ...]
    stuck: tuple[StuckPage, ...] = ()
    undecided: int = 0
    unseen: int = 0
    orphans: Mapping[str, int] = field(default_factory=dict)

    @property
    def sendable(self) -> int:
        """The number of events and commands that a repair sends."""
        return len(self.objects) + len(self.pages) + sum(page.fetch is not None for page in self.stuck)


def find_missing(connections: Connections, since: timedelta | None = None) -> Missing:
    """Find what is in the bucket or in a plan and not in the ledger. Messages in progress count as missing.

    Dead letters are not missing: those of incomplete runs are reported with their reason, others and ignored files are
    left out. `since` limits by the time of storage or planning; the whole bucket is listed nevertheless.
    """
    s3, bucket = connections.s3, connections.settings.bucket
    begin = EVER if since is None else datetime.now(UTC) - since
    survey = dead_letters.survey(
        connections, patience=VISIBILITY_SECONDS
    )  # a killed process releases its letters by then
    dead = DeadLetterIndex(survey.letters)
    with connections.database.connect() as connection:
        runs = connection.execute(select(RUN).where(RUN.c.completed_at.is_(None), RUN.c.planned_at >= begin)).all()
        incomplete = [(run, stored_pages.missing_pages(connections, connection, run)) for run in runs]
        missing = [
            *_not_loaded(connections, connection, begin),
            *_not_planned(connection, s3, bucket, begin),
            *_quarantine_not_loaded(connection, begin),
        ]
        orphans = dict(chain.from_iterable(orphaned_rows(connection, name).items() for name in registry.names()))
    unreadable = {page.stored for _, pages in incomplete for page in pages if page.stored and page.unreadable}
    identities = {(stored.key, stored.version) for stored in unreadable}
    ignored = connections.settings.ignored_files
    objects_missing = tuple(
        object_id
        for object_id in missing
        if not dead.has(object_id)
        and (object_id.key, object_id.version) not in identities
        and not ignored_by(object_id.key, ignored)
    )
    never_fetched = tuple(command for run, pages in incomplete for command in _never_fetched(run, pages, dead))
    stuck = tuple(page for run, pages in incomplete for page in _stuck(run, pages, dead))
    if survey.unseen:
        return Missing((), (), stuck, len(objects_missing) + len(never_fetched), survey.unseen, orphans)
    return Missing(objects_missing, never_fetched, stuck, orphans=orphans)


def repair(connections: Connections, missing: Missing) -> int:
    """Send the events and page commands again; returns their number. Idempotent."""
    settings = connections.settings
    for stored in missing.objects:
        url = settings.queue_url(queue_for_key(stored.key))
        connections.sqs.send_message(QueueUrl=url, MessageBody=created_event(stored))
    for page in (*missing.pages, *(stuck.fetch for stuck in missing.stuck if stuck.fetch)):
        connections.sqs.send_message(QueueUrl=settings.extract_queue_url, MessageBody=page.model_dump_json())
    return missing.sendable


def _never_fetched(run: Row[Any], pages: list[MissingPage], dead: DeadLetterIndex) -> Iterator[PageCommand]:
    sequential = stored_pages.is_sequential(run)
    for command in stored_pages.fetchable(run, pages):
        if command.replaces is None and dead.of_page(command, sequential=sequential) is None:
            yield command


def _stuck(run: Row[Any], pages: list[MissingPage], dead: DeadLetterIndex) -> Iterator[StuckPage]:
    sequential = stored_pages.is_sequential(run)
    fetchable = {(command.part, command.page): command for command in stored_pages.fetchable(run, pages)}
    for page in pages:
        key = page.stored.key if page.stored else None
        command_died = dead.of_page(page.command, sequential=sequential) if page.to_fetch else None
        if command_died:
            yield StuckPage(page.command, "dead letter", command_died, key)
        elif page.unreadable:
            fetch = fetchable.get((page.command.part, page.command.page))
            yield StuckPage(page.command, "unreadable", page.unreadable, key, fetch)
        elif page.stored and (reason := dead.of_object(page.stored)):
            yield StuckPage(page.command, "dead letter", reason, key)


def _not_loaded(connections: Connections, connection: Connection, begin: datetime) -> Iterator[ObjectId]:
    s3, bucket = connections.s3, connections.settings.bucket
    for chunk in chain.from_iterable(versions.list_versions(s3, bucket, prefix) for prefix in RAW_PREFIXES):
        whole = fully_loaded_objects().where(LOADED_OBJECT.c.key.in_({stored.object.key for stored in chunk}))
        loaded = {(row.key, row.version) for row in connection.execute(whole)}
        if loaded.issuperset((stored.object.key, stored.object.version) for stored in chunk):
            continue
        newest = {stored.object.key: stored.object.version for stored in chunk}
        for stored in sequencers.ordered(connection, chunk):
            object_id = stored.object
            if stored.stored_at < begin or (object_id.key, object_id.version) in loaded:
                continue
            if (object_id.key, newest[object_id.key]) not in loaded or not _was_fetched_anew(connections, object_id):
                yield object_id


def _was_fetched_anew(connections: Connections, stored: ObjectId) -> bool:
    """Whether this is an unreadable page whose newer version is loaded."""
    return object_keys.is_page_key(stored.key) and stored_pages.unreadable(connections, stored) is not None


def _not_planned(connection: Connection, s3: "S3Client", bucket: str, begin: datetime) -> Iterator[ObjectId]:
    runs = connection.execute(select(RUN.c.dataset, RUN.c.run_id))
    planned = {object_keys.plan_key(dataset, run_id) for dataset, run_id in runs}
    for chunk in versions.list_versions(s3, bucket, PLANS_PREFIX):
        yield from (stored.object for stored in chunk if _is_unplanned(stored, begin, planned))


def _is_unplanned(stored: ObjectVersion, begin: datetime, planned: set[str]) -> bool:
    return stored.stored_at >= begin and stored.object.key not in planned


def _quarantine_not_loaded(connection: Connection, begin: datetime) -> Iterator[ObjectId]:
    """Quarantine objects of batches whose counted rejections are not all in the quarantine table."""
    identity = ("bucket", "key", "version", "transform_version")
    counted = LOADED_OBJECT.alias()
    arrived = (
        select(func.count())
        .where(*(QUARANTINE.c[name] == LOADED_OBJECT.c[name] for name in identity))
        .scalar_subquery()
    )
    rejected = select(func.sum(counted.c.quarantined)).where(
        *(counted.c[name] == LOADED_OBJECT.c[name] for name in identity)
    )
    unseen = select(LOADED_OBJECT).where(LOADED_OBJECT.c.quarantined > 0, arrived < rejected.scalar_subquery())
    for row in connection.execute(unseen.where(LOADED_OBJECT.c.loaded_at >= begin)):
        # The key is the same whether the ledger's version is S3's or an eTag.
        bronze = ObjectId(row.bucket, row.key, version_id=row.version)
        yield ObjectId(row.bucket, object_keys.quarantine_key(bronze, row.transform_version, row.batch))
