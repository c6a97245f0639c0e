"""The overview: the whole page, and the part of it that is swapped for a newer one."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.ops.dlq import filters
from services.ops.overview import model
from services.ops.overview.collector import Measurements
from services.ops.probe import Measured
from services.ops.queues import stats
from services.ops.web import templating
from services.ops.web.context import ConsoleContext


def show_overview(desk: ConsoleContext, request: Request) -> Response:
    """All of it."""
    return templating.page(request, "page.html", **shown(desk.measure()))


def show_overview_fragment(desk: ConsoleContext, request: Request) -> Response:
    """The newest measurements."""
    return templating.page(request, "overview.html", **shown(desk.measure()))


def shown(measured: Measurements) -> Mapping[str, Any]:
    """What the templates print."""
    return {
        "at": measured.at,
        "verdict": model.verdict(measured),
        "unknown": model.unknown_parts(measured),
        "hops": model.hops(measured.queues),
        "database": model.database(measured),
        "dead": model.dead(measured.queues),
        "runs": model.run_views(measured),
        "rows": measured.rows,
        "groups": filters.grouped(measured.dead_letters.value) if isinstance(measured.dead_letters, Measured) else [],
        "dead_letters": measured.dead_letters,
        "history": measured.history,
        "firing": model.firing(measured),
        "blind": model.blind(measured),
        "judged": len({judged.rule.name for judged in measured.verdicts}),
        "freshness": model.freshness(measured),
        "workers": measured.workers,
        "idle": model.idle(measured),
        "silent": stats.SILENT,
        "latencies": measured.latencies,
    }
