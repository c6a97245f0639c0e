"""Refreshes gold once after runs and uploads complete, however many processes try."""

import time
from datetime import timedelta

import structlog
from sqlalchemy import Connection, Engine, text

log = structlog.get_logger()

BATCH = 250  # postings per transaction: some tenths of a second
LOCK = "smelt gold refresh"
PLACE = "place"
MATERIALISED = ("agency_daily", "pay_by_series", "time_to_close", PLACE)
# Counts rather than timestamps, which a loader sets before its commit is visible.
BASIS = text("""
    select (select count(completed_at) from ops.run) || ' runs, ' || (
        select count(*) from ops.loaded_object as loaded
        where run_id is null
           or exists (select from ops.run where run.run_id = loaded.run_id and completed_at is not null)
    ) || ' objects'
""")
STALE = text("select control_number from gold.posting_stale order by control_number")
# A run that is incomplete after a day is ignored.
LOADING = text("""
    select exists (select from ops.run where completed_at is null and planned_at > now() - interval '1 day')
""")
BUILD = text("select gold.build(cast(:changed as bigint[]))")
LOCATE = text("select gold.locate()")
RECORD_FRESHNESS = text("""
    insert into gold.freshness (what, refreshed_at, took, changed, seen)
    values (:what, clock_timestamp(), :took, :changed, :seen)
    on conflict (what) do update set refreshed_at = excluded.refreshed_at, took = excluded.took,
        changed = excluded.changed, seen = excluded.seen
""")


def refresh(engine: Engine, *, always: bool = False) -> bool:
    """Refresh gold if something but pages of open runs was loaded since the last refresh; returns whether it did.

    `engine` connects as the database's owner, without the readers' timeout. Only one process refreshes at a time;
    others return False. Readers see the old rows until commit, and loaders are not blocked.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(text("select pg_try_advisory_lock(hashtext(:name))"), {"name": LOCK}):
            return False
        try:
            basis = connection.scalar(BASIS)
            if not always and basis == last_basis(connection):
                return False
            _refresh(connection, basis)
        finally:
            connection.execute(text("select pg_advisory_unlock(hashtext(:name))"), {"name": LOCK})
    return True


def last_basis(connection: Connection) -> str | None:
    """What was loaded at the last complete refresh, as text."""
    basis: str | None = connection.scalar(text("select seen from gold.freshness where what = 'gold'"))
    return basis


def _refresh(connection: Connection, basis: str) -> None:
    began = time.monotonic()
    changed = _build(connection, basis)
    for view in MATERIALISED:
        _materialise(connection, view, basis)
    if connection.scalar(LOCATE):
        _materialise(connection, PLACE, basis)  # again, with the newly located postings
    _record(connection, "gold", began, changed, basis)
    log.info("gold.refreshed", changed=changed, seconds=round(time.monotonic() - began, 2))


def _build(connection: Connection, basis: str) -> int:
    """Rebuild outdated postings. While a run is being loaded, two thirds of the time are left to the loaders."""
    started = time.monotonic()
    stale = list(connection.scalars(STALE))
    for first in range(0, len(stale), BATCH):
        began = time.monotonic()
        connection.execute(BUILD, {"changed": stale[first : first + BATCH]})
        if connection.scalar(LOADING):
            time.sleep(2 * (time.monotonic() - began))
    if stale:
        connection.execute(text("analyze gold.posting_stored, gold.posting_location"))
    _record(connection, "posting", started, len(stale), basis)
    return len(stale)


def _materialise(connection: Connection, view: str, basis: str) -> None:
    started = time.monotonic()
    connection.execute(text(f"refresh materialized view concurrently gold.{view}"))
    rows = connection.scalar(text(f"select count(*) from gold.{view}"))  # noqa: S608 - one of our own names
    _record(connection, view, started, rows or 0, basis)


def _record(connection: Connection, what: str, started: float, changed: int, basis: str) -> None:
    took = timedelta(seconds=time.monotonic() - started)
    connection.execute(RECORD_FRESHNESS, {"what": what, "took": took, "changed": changed, "seen": basis})
