"""The newest run of each schedule, and its missed slots."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from services.ops.connections import Connections
from services.ops.schedules import cron, schedules
from services.ops.schedules.schedules import Schedule
from shared.errors import PermanentError
from shared.formats.commands import TRIGGER

LATE = timedelta(minutes=30)  # tolerance for starting an extractor, planning and loading

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
    """The newest run of a schedule.

    `state` is complete, rejected (with reason in `why`) or going (with progress in `why`).
    """

    run_id: str
    scheduled_for: datetime | None
    planned_at: datetime
    state: str
    why: str

    @property
    def meant(self) -> datetime:
        """The slot, or the time of planning if there is none."""
        return self.scheduled_for or self.planned_at


@dataclass(frozen=True)
class Status:
    """A schedule with its newest run, missed slots and next slot; None is unknown or none."""

    schedule: Schedule
    last: LastRun | None
    missed: int | None
    next: datetime | None


def statuses(connections: Connections) -> list[Status]:
    """The status of all schedules."""
    all_schedules, now = schedules.find_all(connections.scheduler), datetime.now(UTC)
    triggers = [TRIGGER + schedule.name for schedule in all_schedules]
    with connections.database.connect() as connection:
        last = {row.trigger: _last_run(row) for row in connection.execute(LATEST, {"triggers": triggers})}
    return [status(schedule, last.get(TRIGGER + schedule.name), now) for schedule in all_schedules]


def status(schedule: Schedule, last: LastRun | None, now: datetime) -> Status:
    """The status of one schedule, from its newest run. No I/O."""
    since = max(schedule.since, last.meant) if last else schedule.since
    timing = (schedule.expression, schedule.timezone, schedule.created)
    if not schedule.enabled:
        return Status(schedule, last, 0, None)
    try:
        missed = cron.missed(*timing, after=since, until=now - LATE)
        return Status(schedule, last, missed, next(cron.slots(*timing, after=now), None))
    except PermanentError:  # an unsupported expression
        return Status(schedule, last, None, None)


def _last_run(row: Any) -> LastRun:
    state, why = "going", f"{row.pages} of {row.planned_pages} pages"
    if row.rejected_reason:
        state, why = "rejected", row.rejected_reason
    elif row.completed_at:
        state, why = "complete", ""
    return LastRun(row.run_id, row.scheduled_for, row.planned_at, state, why)
