"""One run at a time of a schedule, and one of its slots. Redis only says a quick no: the ledger has the last word."""

from collections.abc import Iterable

import redis
import structlog

from services.extractor.run_id import slot_time
from shared.cache.redis_client import PREFIX
from shared.formats.commands import SCHEDULED_TIME, TRIGGER, PageCommand, RunCommand
from shared.formats.run_plan import RunPlan

log = structlog.get_logger()

KEPT = 172_800  # s that a slot is remembered: no message of it comes later, short of a replay
# s without a page after which a run no longer counts as going: a page that is a dead letter must not stop a schedule.
GOING = 3_600


def without_placeholder(run: RunCommand) -> RunCommand:
    """The command without a slot where the scheduler did not fill it in."""
    return run.model_copy(update={"scheduled_for": None}) if run.scheduled_for == SCHEDULED_TIME else run


class RunGuard:
    """Remembers which run has a slot, and which pages of a run are still to be fetched. Without Redis nothing is."""

    def __init__(self, pool: redis.ConnectionPool) -> None:
        self._redis = redis.Redis(connection_pool=pool)

    def refusal(self, run: RunCommand, run_id: str) -> str | None:
        """Why a schedule's run must not begin, if so: another run has its slot, or the one before is still going."""
        if not run.trigger.startswith(TRIGGER):
            return None
        try:
            return self._taken(run, run_id) or self._overlapping(run, run_id)
        except redis.RedisError as error:
            log.warning("slot.not_looked_up", error=str(error))
            return None

    def begins(self, planned: RunPlan, pages: Iterable[PageCommand]) -> None:
        """A run is about to send for its first pages."""
        self._note(planned.run_id, wanted=pages, latest=_schedule_key(planned))

    def fetched(self, page: PageCommand, following: Iterable[PageCommand]) -> None:
        """A page is in bronze, and was followed by others. Redis forgets the set with its last page."""
        self._note(page.run_id, wanted=following, fetched=page)

    def _taken(self, run: RunCommand, run_id: str) -> str | None:
        if run.scheduled_for is None:
            return None
        key = f"{PREFIX}slot:{run.dataset}:{run.trigger}:{slot_time(run.scheduled_for).isoformat()}"
        holder = _text(self._redis.set(key, run_id, nx=True, get=True, ex=KEPT))
        return f"run {holder} has this slot" if holder not in {None, run_id} else None

    def _overlapping(self, run: RunCommand, run_id: str) -> str | None:
        before = _text(self._redis.get(_schedule_key(run)))
        left = self._redis.scard(_pages_key(before)) if before and before != run_id else 0
        return f"run {before} is still going: {left} pages to fetch" if left else None

    def _note(
        self,
        run_id: str,
        *,
        wanted: Iterable[PageCommand],
        fetched: PageCommand | None = None,
        latest: str | None = None,
    ) -> None:
        pages, names = _pages_key(run_id), [_name(page) for page in wanted]
        with self._redis.pipeline() as together:
            if names:
                together.sadd(pages, *names)
            if fetched:
                together.srem(pages, _name(fetched))
            if latest:
                together.set(latest, run_id, ex=KEPT)
            together.expire(pages, GOING)
            try:
                together.execute()
            except redis.RedisError as error:
                log.warning("slot.not_noted", error=str(error))


def _schedule_key(run: RunCommand | RunPlan) -> str:
    return f"{PREFIX}schedule:{run.dataset}:{run.trigger}"


def _pages_key(run_id: str) -> str:
    return f"{PREFIX}pages:{run_id}"


def _name(page: PageCommand) -> str:
    return f"{page.part}/{page.page}"


def _text(value: object) -> str | None:
    """Of an answer of Redis, which are bytes."""
    return value.decode() if isinstance(value, bytes) else None
