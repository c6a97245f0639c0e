"""The overview: the whole page, and the part of it that is swapped for a newer one."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.ops import measure, selection
from services.ops.console import overview, rendering
from services.ops.console.desk import Desk
from services.ops.console.watch import Measurements
from services.ops.gauge import Known


def page(desk: Desk, request: Request) -> Response:
    """All of it."""
    return rendering.page(request, "page.html", **shown(desk.measure()))


def fragment(desk: Desk, request: Request) -> Response:
    """The newest measurements."""
    return rendering.page(request, "overview.html", **shown(desk.measure()))


def shown(measured: Measurements) -> Mapping[str, Any]:
    """What the templates print."""
    return {
        "at": measured.at,
        "verdict": overview.verdict(measured),
        "unknown": overview.unknown_parts(measured),
        "hops": overview.hops(measured.queues),
        "database": overview.database(measured),
        "dead": overview.dead(measured.queues),
        "runs": overview.run_views(measured),
        "rows": measured.rows,
        "groups": selection.grouped(measured.dead_letters.value) if isinstance(measured.dead_letters, Known) else [],
        "dead_letters": measured.dead_letters,
        "history": measured.history,
        "firing": overview.firing(measured),
        "blind": overview.blind(measured),
        "judged": len({judged.rule.name for judged in measured.verdicts}),
        "freshness": overview.freshness(measured),
        "workers": measured.workers,
        "idle": overview.idle(measured),
        "silent": measure.SILENT,
        "latencies": measured.latencies,
    }
