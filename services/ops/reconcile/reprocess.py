"""Sends objects in the bucket through transformer or loader again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from services.ops import operator_log
from services.ops.connections import Connections
from services.ops.operator_log import ActionResult, OnProgress
from services.ops.reconcile import sequencers
from services.ops.throttle import throttled
from shared.config.topology import RAW_PREFIXES, SILVER_PREFIX, queue_for_key
from shared.database.ops_tables import LOADED_OBJECT, fully_loaded_objects
from shared.datasets import registry
from shared.formats.s3_events import IN_FULL, created_event
from shared.storage import versions
from shared.storage.versions import ObjectVersion

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

BRONZE, SILVER = "bronze", "silver"
LAYERS = {BRONZE: RAW_PREFIXES, SILVER: (SILVER_PREFIX,)}  # {layer: prefixes}
ATTRIBUTES: "Mapping[str, Mapping[str, MessageAttributeValueTypeDef]]" = {
    BRONZE: {IN_FULL: {"DataType": "String", "StringValue": "1"}},  # transform without hash-only records
    SILVER: {},
}


@dataclass(frozen=True)
class ObjectFilter:
    """A filter on objects. `since` and `until` are seconds ago; `key` is a key prefix within the dataset.

    The bronze layer includes pages (`bronze/`), uploads (`uploads/`) and replays (`replays/`).
    """

    dataset: str
    layer: str = BRONZE
    since: float | None = None
    until: float | None = None
    key: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """The key prefixes to list; just `key` if it is complete."""
        folders = [f"{prefix}{self.dataset}/" for prefix in LAYERS[self.layer]]
        if self.key.startswith(tuple(folders)):
            return (self.key,)
        return tuple(folder + self.key for folder in folders)

    def described(self) -> dict[str, object]:
        """The conditions, for the audit log."""
        return {name: value for name, value in asdict(self).items() if value}

    def covers(self, stored: ObjectVersion, now: datetime) -> bool:
        """Whether it was stored in the selected time."""
        age = now - stored.stored_at
        return (self.since is None or age <= timedelta(seconds=self.since)) and (
            self.until is None or age >= timedelta(seconds=self.until)
        )


@dataclass(frozen=True)
class SelectedObject:
    """An object to send, and whether it is loaded with the current transform version."""

    stored: ObjectVersion
    loaded: bool


def find(connections: Connections, wanted: ObjectFilter, now: datetime) -> list[SelectedObject]:
    """The matching objects, oldest first: every version of bronze, the newest of silver."""
    query = _bronze if wanted.layer == BRONZE else _silver
    s3, bucket = connections.s3, connections.settings.bucket
    with connections.database.connect() as connection:
        matches = [
            match
            for path in wanted.paths
            for chunk in versions.list_versions(s3, bucket, path)
            for match in query(connection, wanted.dataset, chunk)
            if wanted.covers(match.stored, now)
        ]
    return sorted(matches, key=attrgetter("stored.stored_at"))


def send(
    connections: Connections,
    selected: Sequence[SelectedObject],
    wanted: ObjectFilter,
    rate: float | None = None,
    on_done: OnProgress = lambda _: None,
) -> ActionResult:
    """Send an event for each object, at most `rate` per second, and record it in `ops.operator_action`.

    Idempotent: an object loaded with the same transform version is a duplicate without effect.
    """
    filter_json = wanted.described() | ({"rate": rate} if rate else {})
    with operator_log.record_action(connections.database, "reprocess", "sent", filter_json, len(selected)) as result:
        for item in throttled(selected, rate):
            connections.sqs.send_message(
                QueueUrl=connections.settings.queue_url(queue_for_key(item.stored.object.key)),
                MessageBody=created_event(item.stored.object),
                MessageAttributes=ATTRIBUTES[wanted.layer],
            )
            result.done += 1
            on_done(1)
    return result


def _bronze(connection: Connection, dataset: str, chunk: list[ObjectVersion]) -> Iterator[SelectedObject]:
    same_code = LOADED_OBJECT.c.transform_version == registry.dataset(dataset).version
    same_keys = LOADED_OBJECT.c.key.in_({stored.object.key for stored in chunk})
    whole = {(row.key, row.version) for row in connection.execute(fully_loaded_objects().where(same_keys, same_code))}
    for stored in sequencers.ordered(connection, chunk):
        yield SelectedObject(stored, (stored.object.key, stored.object.version) in whole)


def _silver(connection: Connection, dataset: str, chunk: list[ObjectVersion]) -> Iterator[SelectedObject]:
    newest = [[*same][-1] for _, same in groupby(chunk, key=attrgetter("object.key"))]
    keys = LOADED_OBJECT.c.silver_key.in_([stored.object.key for stored in newest])
    loaded = set(connection.scalars(select(LOADED_OBJECT.c.silver_key).where(LOADED_OBJECT.c.dataset == dataset, keys)))
    yield from (SelectedObject(stored, stored.object.key in loaded) for stored in newest)
