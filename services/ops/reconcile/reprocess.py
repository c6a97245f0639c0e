"""Objects that are in the bucket already, sent through transformer or loader once more."""

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
LAYERS = {BRONZE: RAW_PREFIXES, SILVER: (SILVER_PREFIX,)}  # the prefixes of each layer
ATTRIBUTES: "Mapping[str, Mapping[str, MessageAttributeValueTypeDef]]" = {
    BRONZE: {IN_FULL: {"DataType": "String", "StringValue": "1"}},  # nothing is left out because it is known
    SILVER: {},
}


@dataclass(frozen=True)
class Filter:
    """Which objects are meant. `since` and `until` are seconds ago; `key` is what keys begin with in the dataset.

    The bronze layer has pages (`bronze/`), files (`uploads/`) and records out of quarantine (`replays/`).
    """

    dataset: str
    layer: str = BRONZE
    since: float | None = None
    until: float | None = None
    key: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """What the keys of all objects meant begin with; where `key` is given whole, that alone."""
        folders = [f"{prefix}{self.dataset}/" for prefix in LAYERS[self.layer]]
        if self.key.startswith(tuple(folders)):
            return (self.key,)
        return tuple(folder + self.key for folder in folders)

    def described(self) -> dict[str, object]:
        """What was asked for, for the record."""
        return {name: value for name, value in asdict(self).items() if value}

    def covers(self, stored: ObjectVersion, now: datetime) -> bool:
        """Whether it was stored in the time that is meant."""
        age = now - stored.stored_at
        return (self.since is None or age <= timedelta(seconds=self.since)) and (
            self.until is None or age >= timedelta(seconds=self.until)
        )


@dataclass(frozen=True)
class Found:
    """An object to be sent, and whether the ledger has it already as the code at hand would make it."""

    stored: ObjectVersion
    loaded: bool


def find(connections: Connections, wanted: Filter, now: datetime) -> list[Found]:
    """The objects meant, oldest first. Of bronze every version; of silver the newest, which is of the same bronze."""
    look = _bronze if wanted.layer == BRONZE else _silver
    s3, bucket = connections.s3, connections.settings.bucket
    with connections.database.connect() as connection:
        found = [
            one
            for path in wanted.paths
            for together in versions.list_versions(s3, bucket, path)
            for one in look(connection, wanted.dataset, together)
            if wanted.covers(one.stored, now)
        ]
    return sorted(found, key=attrgetter("stored.stored_at"))


def send(
    connections: Connections,
    found: Sequence[Found],
    wanted: Filter,
    rate: float | None = None,
    on_done: OnProgress = lambda _: None,
) -> ActionResult:
    """Send an event for each, at most `rate` a second, with a row in `ops.operator_action`.

    Safe at any time: what is loaded already, by the same transform, is a duplicate without effect.
    """
    asked = wanted.described() | ({"rate": rate} if rate else {})
    with operator_log.recorded(connections.database, "reprocess", "sent", asked, len(found)) as tally:
        for one in throttled(found, rate):
            connections.sqs.send_message(
                QueueUrl=connections.settings.queue_url(queue_for_key(one.stored.object.key)),
                MessageBody=created_event(one.stored.object),
                MessageAttributes=ATTRIBUTES[wanted.layer],
            )
            tally.done += 1
            on_done(1)
    return tally


def _bronze(connection: Connection, dataset: str, together: list[ObjectVersion]) -> Iterator[Found]:
    same_code = LOADED_OBJECT.c.transform_version == registry.dataset(dataset).version
    mine = LOADED_OBJECT.c.key.in_({stored.object.key for stored in together})
    whole = {(row.key, row.version) for row in connection.execute(fully_loaded_objects().where(mine, same_code))}
    for stored in sequencers.ordered(connection, together):
        yield Found(stored, (stored.object.key, stored.object.version) in whole)


def _silver(connection: Connection, dataset: str, together: list[ObjectVersion]) -> Iterator[Found]:
    newest = [[*same][-1] for _, same in groupby(together, key=attrgetter("object.key"))]
    keys = LOADED_OBJECT.c.silver_key.in_([stored.object.key for stored in newest])
    loaded = set(connection.scalars(select(LOADED_OBJECT.c.silver_key).where(LOADED_OBJECT.c.dataset == dataset, keys)))
    yield from (Found(stored, stored.object.key in loaded) for stored in newest)
