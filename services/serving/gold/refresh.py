"""Gold brought up to date: once, however many runs have completed and however many processes ask."""

import time
from datetime import timedelta

import structlog
from sqlalchemy import Connection, Engine, text

log = structlog.get_logger()

BATCH = 250  # postings built in one transaction: some tenths of a second of work
LOCK = "smelt gold refresh"
PLACE = "place"
MATERIALISED = ("agency_daily", "pay_by_series", "time_to_close", PLACE)
# Counts, and no moments: what a loader stamps before it commits is invisible until it has.
SEEN = text("""
    select (select count(completed_at) from ops.run) || ' runs, '
           || (select count(*) from ops.loaded_object where run_id is null) || ' uploads'
""")
STALE = text("select control_number from gold.posting_stale order by control_number")
# A run that is a day old and not complete will hardly be.
LOADING = text("""
    select exists (select from ops.run where completed_at is null and planned_at > now() - interval '1 day')
""")
BUILD = text("select gold.build(cast(:changed as bigint[]))")
LOCATE = text("select gold.locate()")
NOTE = text("""
    insert into gold.freshness (what, refreshed_at, took, changed, seen)
    values (:what, clock_timestamp(), :took, :changed, :seen)
    on conflict (what) do update set refreshed_at = excluded.refreshed_at, took = excluded.took,
        changed = excluded.changed, seen = excluded.seen
""")


def refresh(engine: Engine, *, always: bool = False) -> bool:
    """Bring gold up to date if a run or an upload has completed since; whether this call did so.

    `engine` is the database's owner, without the readers' timeout. Only one process does it at a time; the others leave
    it to that one. Readers see the old rows until the new ones are committed, loaders wait for nothing.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(text("select pg_try_advisory_lock(hashtext(:name))"), {"name": LOCK}):
            return False
        try:
            seen = connection.scalar(SEEN)
            if not always and seen == last_seen(connection):
                return False
            _refresh(connection, seen)
        finally:
            connection.execute(text("select pg_advisory_unlock(hashtext(:name))"), {"name": LOCK})
    return True


def last_seen(connection: Connection) -> str | None:
    """What there was when gold was last brought up to date, whole."""
    found: str | None = connection.scalar(text("select seen from gold.freshness where what = 'gold'"))
    return found


def _refresh(connection: Connection, seen: str) -> None:
    began = time.monotonic()
    changed = _build(connection, seen)
    for view in MATERIALISED:
        _materialise(connection, view, seen)
    if connection.scalar(LOCATE):
        _materialise(connection, PLACE, seen)  # with the postings that are there, too
    _note(connection, "gold", began, changed, seen)
    log.info("gold.refreshed", changed=changed, seconds=round(time.monotonic() - began, 2))


def _build(connection: Connection, seen: str) -> int:
    """Build what is out of date. While a run is loaded, two thirds of the time are left to the loaders."""
    started = time.monotonic()
    stale = list(connection.scalars(STALE))
    for first in range(0, len(stale), BATCH):
        began = time.monotonic()
        connection.execute(BUILD, {"changed": stale[first : first + BATCH]})
        if connection.scalar(LOADING):
            time.sleep(2 * (time.monotonic() - began))
    if stale:
        connection.execute(text("analyze gold.posting_stored, gold.posting_location"))
    _note(connection, "posting", started, len(stale), seen)
    return len(stale)


def _materialise(connection: Connection, view: str, seen: str) -> None:
    started = time.monotonic()
    connection.execute(text(f"refresh materialized view concurrently gold.{view}"))
    rows = connection.scalar(text(f"select count(*) from gold.{view}"))  # noqa: S608 - one of our own names
    _note(connection, view, started, rows or 0, seen)


def _note(connection: Connection, what: str, started: float, changed: int, seen: str) -> None:
    took = timedelta(seconds=time.monotonic() - started)
    connection.execute(NOTE, {"what": what, "took": took, "changed": changed, "seen": seen})
