"""Prevents overlapping runs of a schedule and second runs of a slot.

Redis gives the early answer; the ledger decides.
"""

from collections.abc import Iterable

import redis
import structlog

from services.extractor.run_ids import slot_time
from shared.cache.redis_client import PREFIX
from shared.formats.commands import SCHEDULED_TIME, TRIGGER, PageCommand, RunCommand
from shared.formats.run_plan import RunPlan

log = structlog.get_logger()

SLOT_TTL_SECONDS = 172_800  # no message of a slot arrives later, except replays
# A run without a fetched page for this long no longer counts as running, so that a dead letter cannot block a schedule.
RUN_TTL_SECONDS = 3_600


def without_placeholder(run: RunCommand) -> RunCommand:
    """The command without `scheduled_for` if the scheduler did not replace the placeholder."""
    return run.model_copy(update={"scheduled_for": None}) if run.scheduled_for == SCHEDULED_TIME else run


class RunGuard:
    """Records in Redis which run has a slot, and which pages of a run are still to be fetched.

    Does nothing without Redis.
    """

    def __init__(self, pool: redis.ConnectionPool) -> None:
        self._redis = redis.Redis(connection_pool=pool)

    def rejection_reason(self, run: RunCommand, run_id: str) -> str | None:
        """The reason to reject a scheduled run, or None.

        Another run has its slot, or the previous run of the schedule still has pages to fetch.
        """
        if not run.trigger.startswith(TRIGGER):
            return None
        try:
            return self._slot_taken(run, run_id) or self._overlapping(run, run_id)
        except redis.RedisError as error:
            log.warning("slot.not_looked_up", error=str(error))
            return None

    def mark_started(self, planned: RunPlan, pages: Iterable[PageCommand]) -> None:
        """Record that a run is about to send its first pages."""
        self._update_pages(planned.run_id, pending=pages, latest=_schedule_key(planned))

    def mark_fetched(self, page: PageCommand, following: Iterable[PageCommand]) -> None:
        """Record that a page is in bronze and which pages follow it. The Redis set expires with its last page."""
        self._update_pages(page.run_id, pending=following, fetched=page)

    def _slot_taken(self, run: RunCommand, run_id: str) -> str | None:
        if run.scheduled_for is None:
            return None
        key = f"{PREFIX}slot:{run.dataset}:{run.trigger}:{slot_time(run.scheduled_for).isoformat()}"
        holder = _text(self._redis.set(key, run_id, nx=True, get=True, ex=SLOT_TTL_SECONDS))
        return f"run {holder} has this slot" if holder not in {None, run_id} else None

    def _overlapping(self, run: RunCommand, run_id: str) -> str | None:
        before = _text(self._redis.get(_schedule_key(run)))
        left = self._redis.scard(_pages_key(before)) if before and before != run_id else 0
        return f"run {before} is still running: {left} pages to fetch" if left else None

    def _update_pages(
        self,
        run_id: str,
        *,
        pending: Iterable[PageCommand],
        fetched: PageCommand | None = None,
        latest: str | None = None,
    ) -> None:
        pages, names = _pages_key(run_id), [_name(page) for page in pending]
        with self._redis.pipeline() as pipeline:
            if names:
                pipeline.sadd(pages, *names)
            if fetched:
                pipeline.srem(pages, _name(fetched))
            if latest:
                pipeline.set(latest, run_id, ex=SLOT_TTL_SECONDS)
            pipeline.expire(pages, RUN_TTL_SECONDS)
            try:
                pipeline.execute()
            except redis.RedisError as error:
                log.warning("slot.not_noted", error=str(error))


def _schedule_key(run: RunCommand | RunPlan) -> str:
    return f"{PREFIX}schedule:{run.dataset}:{run.trigger}"


def _pages_key(run_id: str) -> str:
    return f"{PREFIX}pages:{run_id}"


def _name(page: PageCommand) -> str:
    return f"{page.part}/{page.page}"


def _text(value: object) -> str | None:
    return value.decode() if isinstance(value, bytes) else None
