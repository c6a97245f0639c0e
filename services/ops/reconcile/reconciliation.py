"""Compares the bucket with the ledger, names what is missing at which hop, and sends exactly that on its way again.

A sweeper behind every hand-off: an event that was lost, a message that was dropped, a page that was never fetched.
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
from services.ops.dlq.lease import HIDDEN
from services.ops.reconcile import sequencers
from services.ops.reconcile.orphans import orphaned_rows
from services.ops.runs import stored_pages
from services.ops.runs.stored_pages import MissingPage
from shared.config.topology import PLANS_PREFIX, RAW_PREFIXES, queue_for_key
from shared.database.ops_tables import LOADED_OBJECT, QUARANTINE, RUN, fully_loaded_objects
from shared.datasets import registry
from shared.formats.commands import PageCommand
from shared.formats.s3_events import created_event
from shared.storage import litter, object_keys, versions
from shared.storage.object_id import ObjectId
from shared.storage.versions import ObjectVersion

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class StuckPage:
    """A page of an incomplete run that does not come by itself, and why. `key` is that of what bronze has, if anything.

    A dead letter waits for an operator. What is unreadable is fetched anew by the command `fetch`, if it can be now.
    """

    page: PageCommand
    state: Literal["unreadable", "dead letter"]
    reason: str
    key: str | None
    fetch: PageCommand | None = None


@dataclass(frozen=True)
class Missing:
    """What the ledger lacks.

    `objects` whose event must be sent again, `pages` that were planned and never fetched, and `stuck` pages: in bronze
    and not to be read, or waiting as dead letters. While `unseen` dead letters could not be read (another process holds
    them), they may stand for anything that is not in the ledger: nothing is called missing, and `undecided` says how
    many objects and pages that concerns. `orphans` are child rows without their record, {table: rows}.
    """

    objects: tuple[ObjectId, ...]
    pages: tuple[PageCommand, ...]
    stuck: tuple[StuckPage, ...] = ()
    undecided: int = 0
    unseen: int = 0
    orphans: Mapping[str, int] = field(default_factory=dict)

    @property
    def sendable(self) -> int:
        """How much of it can be sent on its way again."""
        return len(self.objects) + len(self.pages) + sum(page.fetch is not None for page in self.stuck)


def find_missing(connections: Connections, since: timedelta | None = None) -> Missing:
    """What is in the bucket, or in a plan, but not in the ledger. What is under way at the moment counts as missing.

    What a dead letter stands for is not lost, it waits for an operator: of incomplete runs it is named with its reason,
    all else is left out, and so are files that are not to be loaded. With `since` also what is older: objects stored
    and runs planned before; the bucket is listed whole all the same.
    """
    s3, bucket = connections.s3, connections.settings.bucket
    begin = EVER if since is None else datetime.now(UTC) - since
    survey = dead_letters.survey(connections, patience=HIDDEN)  # a look that was killed gives its letters back by then
    dead = DeadLetterIndex(survey.letters)
    with connections.database.connect() as connection:
        runs = connection.execute(select(RUN).where(RUN.c.completed_at.is_(None), RUN.c.planned_at >= begin)).all()
        found = [(run, stored_pages.missing_pages(connections, connection, run)) for run in runs]
        missing = [
            *_not_loaded(connections, connection, begin),
            *_not_planned(connection, s3, bucket, begin),
            *_quarantine_not_loaded(connection, begin),
        ]
        orphans = dict(chain.from_iterable(orphaned_rows(connection, name).items() for name in registry.names()))
    unreadable = {page.stored for _, pages in found for page in pages if page.stored and page.unreadable}
    identities = {(stored.key, stored.version) for stored in unreadable}
    ignored = connections.settings.ignored_files
    objects_missing = tuple(
        one
        for one in missing
        if not dead.has(one) and (one.key, one.version) not in identities and not litter.is_ignored(one.key, ignored)
    )
    never_fetched = tuple(command for run, pages in found for command in _never_fetched(run, pages, dead))
    stuck = tuple(page for run, pages in found for page in _stuck(run, pages, dead))
    if survey.unseen:
        return Missing((), (), stuck, len(objects_missing) + len(never_fetched), survey.unseen, orphans)
    return Missing(objects_missing, never_fetched, stuck, orphans=orphans)


def repair(connections: Connections, missing: Missing) -> int:
    """Send the events and page commands again; how many. Safe at any time: all of them may be handled twice."""
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
    for together in chain.from_iterable(versions.list_versions(s3, bucket, prefix) for prefix in RAW_PREFIXES):
        whole = fully_loaded_objects().where(LOADED_OBJECT.c.key.in_({stored.object.key for stored in together}))
        known = {(row.key, row.version) for row in connection.execute(whole)}
        if known.issuperset((stored.object.key, stored.object.version) for stored in together):
            continue
        newest = {stored.object.key: stored.object.version for stored in together}
        for stored in sequencers.ordered(connection, together):
            one = stored.object
            if stored.stored_at < begin or (one.key, one.version) in known:
                continue
            if (one.key, newest[one.key]) not in known or not _was_fetched_anew(connections, one):
                yield one


def _was_fetched_anew(connections: Connections, stored: ObjectId) -> bool:
    """Whether a page whose newer version is loaded could not be read: there is nothing in it to load."""
    return object_keys.is_page_key(stored.key) and stored_pages.unreadable(connections, stored) is not None


def _not_planned(connection: Connection, s3: "S3Client", bucket: str, begin: datetime) -> Iterator[ObjectId]:
    runs = connection.execute(select(RUN.c.dataset, RUN.c.run_id))
    known = {object_keys.plan_key(dataset, run_id) for dataset, run_id in runs}
    for together in versions.list_versions(s3, bucket, PLANS_PREFIX):
        yield from (stored.object for stored in together if _is_news(stored, begin, known))


def _is_news(stored: ObjectVersion, begin: datetime, known: set[str]) -> bool:
    return stored.stored_at >= begin and stored.object.key not in known


def _quarantine_not_loaded(connection: Connection, begin: datetime) -> Iterator[ObjectId]:
    """Quarantine objects that the ledger counts records of, while not all of them have been seen."""
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
        # Whether the ledger's version is S3's or an eTag makes no difference to the key.
        bronze = ObjectId(row.bucket, row.key, version_id=row.version)
        yield ObjectId(row.bucket, object_keys.quarantine_key(bronze, row.transform_version, row.batch))
