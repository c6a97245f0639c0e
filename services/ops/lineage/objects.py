"""The status of objects in the bucket: loaded, dead letter, possibly under way, or with a missing event."""

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
    """A version of an object; `stored_at` and `bytes` are None if it is no longer in the bucket.

    `state` is loaded, partly loaded, dead letter, under way (possibly: queues are not empty), missing (its event) or
    unknown. `entries` are the ledger rows by batch and transform version; for a plan, the run.
    """

    version: str
    stored_at: datetime | None
    bytes: int | None
    state: str
    entries: tuple[Entry, ...]
    dead_letters: tuple[str, ...]


@dataclass(frozen=True)
class ObjectStatus:
    """The status of a key: every version of raw objects, oldest first; only the newest of derived objects.

    `bronze_key` is the object it was derived from, if known; `rejected` counts its records in quarantine.
    """

    key: str
    bronze_key: str | None
    versions: tuple[ObjectVersionStatus, ...]
    rejected: int


def object_status(connections: Connections, key: str) -> ObjectStatus | None:
    """The status, or None for an unknown key. Raises PermanentError for a key outside all prefixes."""
    prefix = next((prefix for prefix in NOTIFICATIONS if key.startswith(prefix)), None)
    if prefix is None:
        message = f"{key}: no service processes such objects; keys begin with {', '.join(NOTIFICATIONS)}"
        raise PermanentError(message)
    bucket = connections.settings.bucket
    listed = versions.list_versions(connections.s3, bucket, key)
    stored = [version for chunk in listed for version in chunk if version.object.key == key]
    letters = dead_letters.survey(connections).letters
    under_way = UNDER_WAY[runs.is_under_way(connections, QUEUES)]
    with connections.database.connect() as connection:
        ledger = LEDGERS[prefix](connection, key)
    if prefix in RAW_PREFIXES:
        statuses = tuple(_bronze_versions(stored, ledger.entries, letters, under_way))
    else:
        statuses = tuple(_newest(stored, ledger, letters, under_way))
    return ObjectStatus(key, ledger.bronze_key, statuses, ledger.rejected) if statuses else None


@dataclass(frozen=True)
class _LedgerState:
    """What the database has for a key. `loaded` is for derived objects; raw versions are judged individually."""

    entries: Sequence[Entry]
    loaded: bool = False
    bronze_key: str | None = None
    rejected: int = 0


def _raw(connection: Connection, key: str) -> _LedgerState:
    rejected = _rejected(connection, QUARANTINE.c.key == key)
    return _LedgerState(_entries(connection, LOADED_OBJECT.c.key == key), rejected=rejected)


def _silver(connection: Connection, key: str) -> _LedgerState:
    entries = _entries(connection, LOADED_OBJECT.c.silver_key == key)
    return _LedgerState(entries, bool(entries), entries[0]["key"] if entries else object_keys.raw_key_of(key))


def _quarantine(connection: Connection, key: str) -> _LedgerState:
    """Quarantine entries do not record their batch, so all batches of the bronze object are counted together."""
    of_key = _entries(connection, LOADED_OBJECT.c.key == object_keys.raw_key_of(key))
    entries = [entry for entry in of_key if _quarantine_key(entry) == key]
    if not entries:
        return _LedgerState((), bronze_key=object_keys.raw_key_of(key))
    identity = {name: entries[0][name] for name in ("key", "version", "transform_version")}
    promised = sum(entry["quarantined"] for entry in of_key if identity.items() <= entry.items())
    arrived = _rejected(connection, *(QUARANTINE.c[name] == value for name, value in identity.items()))
    return _LedgerState(entries, arrived >= promised, entries[0]["key"], arrived)


def _plan(connection: Connection, key: str) -> _LedgerState:
    rows = connection.execute(select(RUN).where(RUN.c.run_id == _run_id(key))).all()
    return _LedgerState([row._asdict() for row in rows], bool(rows))


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
    for gone in [version for version in of if version not in {version.object.version for version in stored}]:
        state = "loaded" if _is_complete(of[gone]) else "partly loaded"
        yield ObjectVersionStatus(gone, None, None, state, tuple(of[gone]), ())
    for version in stored:
        version_entries = of[version.object.version]
        dead = tuple(letter.id for letter in letters if concerns(letter, version.object))
        state = _state(version_entries, dead, under_way, loaded=_is_complete(version_entries))
        yield ObjectVersionStatus(
            version.object.version, version.stored_at, version.size, state, tuple(version_entries), dead
        )


def _newest(
    stored: Sequence[ObjectVersion], ledger: _LedgerState, letters: Sequence[DeadLetter], under_way: str
) -> Iterator[ObjectVersionStatus]:
    for version in stored[-1:]:
        dead = tuple(letter.id for letter in letters if concerns(letter, version.object))
        state = _state((), dead, under_way, loaded=ledger.loaded)
        yield ObjectVersionStatus(
            version.object.version, version.stored_at, version.size, state, tuple(ledger.entries), dead
        )
    if ledger.entries and not stored:
        yield ObjectVersionStatus(
            "", None, None, _state((), (), under_way, loaded=ledger.loaded), tuple(ledger.entries), ()
        )


def _state(entries: Sequence[Entry], dead: Sequence[str], under_way: str, *, loaded: bool) -> str:
    if loaded:
        return "loaded"
    if dead:
        return "dead letter"
    return "partly loaded" if entries else under_way


def _is_complete(entries: Sequence[Entry]) -> bool:
    """Whether all batches are loaded for one transform version."""
    batches = Counter(entry["transform_version"] for entry in entries)
    return any(entry["is_last_batch"] and batches[entry["transform_version"]] == entry["batch"] for entry in entries)


def _entries(connection: Connection, condition: ColumnElement[bool]) -> list[Entry]:
    order = (LOADED_OBJECT.c.transform_version, LOADED_OBJECT.c.batch, LOADED_OBJECT.c.id)
    return [row._asdict() for row in connection.execute(select(*LEDGER).where(condition).order_by(*order))]


def _rejected(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).select_from(QUARANTINE).where(*conditions)) or 0


def concerns(letter: DeadLetter, stored: ObjectId) -> bool:
    """Whether a dead letter is about the object or one derived from it."""
    stems: tuple[str, ...] = ()
    if stored.key.startswith(RAW_PREFIXES):
        stem = object_keys.silver_prefix(stored, 0).rpartition("0-")[0]  # of any transform version
        stems = (stem, QUARANTINE_PREFIX + stem.removeprefix(SILVER_PREFIX))
    return any(
        (named.key == stored.key and named.version in {"", stored.version, stored.etag}) or named.key.startswith(stems)
        for named in letter.objects
    )


def _quarantine_key(entry: Entry) -> str:
    bronze = ObjectId(entry["bucket"], entry["key"], version_id=entry["version"])
    return object_keys.quarantine_key(bronze, entry["transform_version"], entry["batch"])


def _run_id(plan_key: str) -> str:
    return plan_key.rpartition("run=")[2].partition("/")[0]
