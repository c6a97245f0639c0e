"""What became of an object in the bucket: loaded, dead, perhaps under way, or its event is missing."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from services.ops import dead_letters, hold, runs, versions
from services.ops.connections import Connections
from services.ops.dead_letters import DeadLetter
from services.ops.trace import LEDGER, Entry
from services.ops.versions import Stored
from shared import objects
from shared.database.ops_tables import OBJECT, QUARANTINE, RUN
from shared.errors import PermanentError
from shared.objects import ObjectId
from shared.topology import BRONZE_PREFIX, NOTIFICATIONS, PLANS_PREFIX, QUARANTINE_PREFIX, QUEUES, SILVER_PREFIX

PATIENCE = 3  # s to wait for dead letters that somebody else looks at
LONG = "/long-keys"  # in place of a path that is too long to be repeated
UNDER_WAY = {True: "under way", False: "missing", None: "unknown"}


@dataclass(frozen=True)
class Version:
    """One version of an object; where the bucket has it no more, `stored_at` and `bytes` are None.

    `state` is loaded, partly loaded, dead letter, under way (perhaps: queues are not empty), missing (its event) or
    unknown. `entries` are the ledger's, one for each batch and transform version; of a plan it is the run.
    """

    version: str
    stored_at: datetime | None
    bytes: int | None
    state: str
    entries: tuple[Entry, ...]
    dead_letters: tuple[str, ...]


@dataclass(frozen=True)
class Fate:
    """What is known of a key: of bronze every version, the oldest first; of what we make of it only the newest.

    `bronze_key` is what it was made of, where that can be told; `rejected` counts the records of it in quarantine.
    """

    key: str
    bronze_key: str | None
    versions: tuple[Version, ...]
    rejected: int


def fate(connections: Connections, key: str) -> Fate | None:
    """None for a key that nobody knows. Raises PermanentError for one that no event is about."""
    prefix = next((prefix for prefix in NOTIFICATIONS if key.startswith(prefix)), None)
    if prefix is None:
        message = f"{key}: no service is told of such an object; keys begin with {', '.join(NOTIFICATIONS)}"
        raise PermanentError(message)
    bucket = connections.settings.bucket
    listed = versions.listed(connections.s3, bucket, key)
    stored = [one for together in listed for one in together if one.object.key == key]
    letters = dead_letters.survey(connections, QUEUES, hold.MOST, PATIENCE).letters
    under_way = UNDER_WAY[runs.under_way(connections)]
    with connections.database.connect() as connection:
        entries, rejected = _ledger(connection, bucket, prefix, key)
    found = tuple(_versions(key, stored, entries, letters, under_way))
    made_of = next((str(entry["key"]) for entry in entries if "key" in entry), _bronze_key(prefix, key))
    return Fate(key, None if prefix in {BRONZE_PREFIX, PLANS_PREFIX} else made_of, found, rejected) if found else None


def _ledger(connection: Connection, bucket: str, prefix: str, key: str) -> tuple[list[Entry], int]:
    """What the database has of an object, and how many rejected records."""
    if prefix == PLANS_PREFIX:
        rows = connection.execute(select(RUN).where(RUN.c.run_id == _run_id(key)))
        return [row._asdict() for row in rows], 0
    bronze_key = key if prefix == BRONZE_PREFIX else _bronze_key(prefix, key)
    mine = OBJECT.c.silver_key == key if prefix == SILVER_PREFIX else OBJECT.c.key == bronze_key
    order = (OBJECT.c.transform_version, OBJECT.c.batch, OBJECT.c.id)
    entries = [row._asdict() for row in connection.execute(select(*LEDGER).where(mine).order_by(*order))]
    if prefix == QUARANTINE_PREFIX:
        entries = [entry for entry in entries if _quarantine_key(bucket, entry) == key]
    rejected = select(func.count()).select_from(QUARANTINE).where(QUARANTINE.c.key == bronze_key)
    return entries, connection.scalar(rejected) or 0


def _versions(
    key: str, stored: Sequence[Stored], entries: Sequence[Entry], letters: Sequence[DeadLetter], under_way: str
) -> Iterator[Version]:
    of_bronze = key.startswith(BRONZE_PREFIX)
    by_version: Mapping[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_version[entry["version"] if of_bronze else ""].append(entry)
    there = stored if of_bronze else stored[-1:]
    for gone in by_version.keys() - {one.object.version for one in there} if of_bronze or not there else ():
        yield Version(gone, None, None, _state(by_version[gone], (), "missing"), tuple(by_version[gone]), ())
    for one in there:
        mine = by_version[one.object.version if of_bronze else ""]
        dead = tuple(letter.id for letter in letters if _names(letter, one.object))
        state = _state(mine, dead, under_way)
        yield Version(one.object.version, one.stored_at, one.size, state, tuple(mine), dead)


def _state(entries: Sequence[Entry], dead: Sequence[str], otherwise: str) -> str:
    if any(_is_whole(entries, entry) for entry in entries):
        return "loaded"
    if dead:
        return "dead letter"
    return "partly loaded" if entries else otherwise


def _is_whole(entries: Sequence[Entry], last: Entry) -> bool:
    """Whether an entry is the last one of an object all of which is there; a plan and a batch are whole themselves."""
    if "last" not in last:
        return True
    batches = [entry for entry in entries if entry["transform_version"] == last["transform_version"]]
    return bool(last["last"]) and len(batches) == last["batch"]


def _names(letter: DeadLetter, stored: ObjectId) -> bool:
    """Whether a dead letter is about the object, or about what was made of it."""
    stem = None
    if stored.key.startswith(BRONZE_PREFIX):
        stem = objects.silver_stem(stored, 0).rpartition("0-")[0]  # of any transform version
    return any(
        (named.key == stored.key and named.version in {"", stored.version, stored.etag})
        or (stem is not None and named.key.startswith(stem))
        for named in letter.objects
    )


def _bronze_key(prefix: str, key: str) -> str | None:
    folder = key.removeprefix(prefix).rpartition("/")[0]
    return None if folder.endswith(LONG) else BRONZE_PREFIX + folder


def _quarantine_key(bucket: str, entry: Entry) -> str:
    bronze = ObjectId(bucket, entry["key"], version_id=entry["version"])
    return objects.quarantine_key(bronze, entry["transform_version"], entry["batch"])


def _run_id(plan_key: str) -> str:
    return plan_key.rpartition("run=")[2].partition("/")[0]
