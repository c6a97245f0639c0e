"""What became of schedules: the newest run of each, and the slots that none came for."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from services.ops.connections import Connections
from services.ops.schedules import cron, schedules
from services.ops.schedules.schedules import Schedule
from shared.errors import PermanentError
from shared.formats.commands import TRIGGER

LATE = timedelta(minutes=30)  # that a slot may be late: an extractor that starts from nothing, a plan, a loader

LATEST = text("""
    select distinct on (run.trigger) run.trigger, run.run_id, run.scheduled_for, run.planned_at, run.completed_at,
           run.rejected_reason, run.planned_pages,
           (select count(distinct (part, page)) from ops.loaded_object as loaded
            where loaded.run_id = run.run_id) as pages
    from ops.run where run.trigger = any(:triggers)
    order by run.trigger, coalesce(run.scheduled_for, run.planned_at) desc, run.planned_at desc
""")


@dataclass(frozen=True)
class LastRun:
    """The newest run of a schedule, in one word `state`: complete, refused (and `why`), or going (`why` how far)."""

    run_id: str
    scheduled_for: datetime | None
    planned_at: datetime
    state: str
    why: str

    @property
    def meant(self) -> datetime:
        """The slot, or the time at which it was planned where nothing filled in the slot."""
        return self.scheduled_for or self.planned_at


@dataclass(frozen=True)
class Status:
    """A schedule, its newest run, the slots missed since then, and the next one. None is unknown, or that none is."""

    schedule: Schedule
    last: LastRun | None
    missed: int | None
    next: datetime | None


def statuses(connections: Connections) -> list[Status]:
    """What became of all there are."""
    found, now = schedules.find_all(connections.scheduler), datetime.now(UTC)
    triggers = [TRIGGER + schedule.name for schedule in found]
    with connections.database.connect() as connection:
        last = {row.trigger: _last_run(row) for row in connection.execute(LATEST, {"triggers": triggers})}
    return [status(schedule, last.get(TRIGGER + schedule.name), now) for schedule in found]


def status(schedule: Schedule, last: LastRun | None, now: datetime) -> Status:
    """What became of one, from its newest run. Pure."""
    since = max(schedule.since, last.meant) if last else schedule.since
    timing = (schedule.expression, schedule.timezone, schedule.created)
    if not schedule.enabled:
        return Status(schedule, last, 0, None)
    try:
        missed = cron.missed(*timing, after=since, until=now - LATE)
        return Status(schedule, last, missed, next(cron.slots(*timing, after=now), None))
    except PermanentError:  # an expression that we do not understand
        return Status(schedule, last, None, None)


def _last_run(row: Any) -> LastRun:
    state, why = "going", f"{row.pages} of {row.planned_pages} pages"
    if row.rejected_reason:
        state, why = "rejected", row.rejected_reason
    elif row.completed_at:
        state, why = "complete", ""
    return LastRun(row.run_id, row.scheduled_for, row.planned_at, state, why)
