"""What became of an object in the bucket: loaded, dead, perhaps under way, or its event is missing."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select

from services.ops.connections import Connections
from services.ops.dlq import dead_letters
from services.ops.dlq.dead_letters import DeadLetter
from services.ops.lineage.rows import LEDGER, Entry
from services.ops.runs import runs
from shared.config.topology import NOTIFICATIONS, PLANS_PREFIX, QUARANTINE_PREFIX, QUEUES, RAW_PREFIXES, SILVER_PREFIX
from shared.database.ops_tables import LOADED_OBJECT, QUARANTINE, RUN
from shared.errors import PermanentError
from shared.storage import object_keys, versions
from shared.storage.object_id import ObjectId
from shared.storage.versions import ObjectVersion

UNDER_WAY = {True: "under way", False: "missing", None: "unknown"}


@dataclass(frozen=True)
class ObjectVersionStatus:
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
class ObjectStatus:
    """What is known of a key: of bronze every version, the oldest first; of what we make of it only the newest.

    `bronze_key` is what it was made of, where that can be told; `rejected` counts the records of it in quarantine.
    """

    key: str
    bronze_key: str | None
    versions: tuple[ObjectVersionStatus, ...]
    rejected: int


def object_status(connections: Connections, key: str) -> ObjectStatus | None:
    """None for a key that nobody knows. Raises PermanentError for one that no event is about."""
    prefix = next((prefix for prefix in NOTIFICATIONS if key.startswith(prefix)), None)
    if prefix is None:
        message = f"{key}: no service is told of such an object; keys begin with {', '.join(NOTIFICATIONS)}"
        raise PermanentError(message)
    bucket = connections.settings.bucket
    listed = versions.list_versions(connections.s3, bucket, key)
    stored = [one for together in listed for one in together if one.object.key == key]
    letters = dead_letters.survey(connections).letters
    under_way = UNDER_WAY[runs.is_under_way(connections, QUEUES)]
    with connections.database.connect() as connection:
        known = LEDGERS[prefix](connection, key)
    if prefix in RAW_PREFIXES:
        found = tuple(_bronze_versions(stored, known.entries, letters, under_way))
    else:
        found = tuple(_newest(stored, known, letters, under_way))
    return ObjectStatus(key, known.bronze_key, found, known.rejected) if found else None


@dataclass(frozen=True)
class _Known:
    """What the database has of a key; `loaded` is of what we make, of bronze each version is by itself."""

    entries: Sequence[Entry]
    loaded: bool = False
    bronze_key: str | None = None
    rejected: int = 0


def _raw(connection: Connection, key: str) -> _Known:
    rejected = _rejected(connection, QUARANTINE.c.key == key)
    return _Known(_entries(connection, LOADED_OBJECT.c.key == key), rejected=rejected)


def _silver(connection: Connection, key: str) -> _Known:
    entries = _entries(connection, LOADED_OBJECT.c.silver_key == key)
    return _Known(entries, bool(entries), entries[0]["key"] if entries else object_keys.raw_key_of(key))


def _quarantine(connection: Connection, key: str) -> _Known:
    """All batches of the bronze object count, as the audit has it: an entry does not say which it came with."""
    of_key = _entries(connection, LOADED_OBJECT.c.key == object_keys.raw_key_of(key))
    mine = [entry for entry in of_key if _quarantine_key(entry) == key]
    if not mine:
        return _Known((), bronze_key=object_keys.raw_key_of(key))
    identity = {name: mine[0][name] for name in ("key", "version", "transform_version")}
    promised = sum(entry["quarantined"] for entry in of_key if identity.items() <= entry.items())
    arrived = _rejected(connection, *(QUARANTINE.c[name] == value for name, value in identity.items()))
    return _Known(mine, arrived >= promised, mine[0]["key"], arrived)


def _plan(connection: Connection, key: str) -> _Known:
    found = connection.execute(select(RUN).where(RUN.c.run_id == _run_id(key))).all()
    return _Known([row._asdict() for row in found], bool(found))


LEDGERS = {
    **dict.fromkeys(RAW_PREFIXES, _raw),
    SILVER_PREFIX: _silver,
    QUARANTINE_PREFIX: _quarantine,
    PLANS_PREFIX: _plan,
}


def _bronze_versions(
    stored: Sequence[ObjectVersion], entries: Sequence[Entry], letters: Sequence[DeadLetter], under_way: str
) -> Iterator[ObjectVersionStatus]:
    of: Mapping[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        of[entry["version"]].append(entry)
    for gone in [version for version in of if version not in {one.object.version for one in stored}]:
        state = "loaded" if _is_whole(of[gone]) else "partly loaded"
        yield ObjectVersionStatus(gone, None, None, state, tuple(of[gone]), ())
    for one in stored:
        mine = of[one.object.version]
        dead = tuple(letter.id for letter in letters if _names(letter, one.object))
        state = _state(mine, dead, under_way, loaded=_is_whole(mine))
        yield ObjectVersionStatus(one.object.version, one.stored_at, one.size, state, tuple(mine), dead)


def _newest(
    stored: Sequence[ObjectVersion], known: _Known, letters: Sequence[DeadLetter], under_way: str
) -> Iterator[ObjectVersionStatus]:
    for one in stored[-1:]:
        dead = tuple(letter.id for letter in letters if _names(letter, one.object))
        state = _state((), dead, under_way, loaded=known.loaded)
        yield ObjectVersionStatus(one.object.version, one.stored_at, one.size, state, tuple(known.entries), dead)
    if known.entries and not stored:
        yield ObjectVersionStatus(
            "", None, None, _state((), (), under_way, loaded=known.loaded), tuple(known.entries), ()
        )


def _state(entries: Sequence[Entry], dead: Sequence[str], under_way: str, *, loaded: bool) -> str:
    if loaded:
        return "loaded"
    if dead:
        return "dead letter"
    return "partly loaded" if entries else under_way


def _is_whole(entries: Sequence[Entry]) -> bool:
    """Whether all batches of an object are there, of any one transform version."""
    batches = Counter(entry["transform_version"] for entry in entries)
    return any(entry["is_last_batch"] and batches[entry["transform_version"]] == entry["batch"] for entry in entries)


def _entries(connection: Connection, mine: ColumnElement[bool]) -> list[Entry]:
    order = (LOADED_OBJECT.c.transform_version, LOADED_OBJECT.c.batch, LOADED_OBJECT.c.id)
    return [row._asdict() for row in connection.execute(select(*LEDGER).where(mine).order_by(*order))]


def _rejected(connection: Connection, *mine: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).select_from(QUARANTINE).where(*mine)) or 0


def _names(letter: DeadLetter, stored: ObjectId) -> bool:
    """Whether a dead letter is about the object, or about what was made of it."""
    stem = None
    if stored.key.startswith(RAW_PREFIXES):
        stem = object_keys.silver_prefix(stored, 0).rpartition("0-")[0]  # of any transform version
    return any(
        (named.key == stored.key and named.version in {"", stored.version, stored.etag})
        or (stem is not None and named.key.startswith(stem))
        for named in letter.objects
    )


def _quarantine_key(entry: Entry) -> str:
    bronze = ObjectId(entry["bucket"], entry["key"], version_id=entry["version"])
    return object_keys.quarantine_key(bronze, entry["transform_version"], entry["batch"])


def _run_id(plan_key: str) -> str:
    return plan_key.rpartition("run=")[2].partition("/")[0]
