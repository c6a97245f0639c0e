"""Console pages of the overview: the whole page, and the fragment that is refreshed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.ops.dlq import filters
from services.ops.overview import model, plots
from services.ops.overview.collector import Measurements
from services.ops.probe import Measured
from services.ops.queues import stats
from services.ops.queues.messages import MessageSubject
from services.ops.web import templating
from services.ops.web.context import ConsoleContext


@dataclass(frozen=True)
class OverviewPages:
    """The overview's pages; `measure` may block for seconds."""

    measure: Callable[[], Measurements]

    def show(self, _: ConsoleContext, request: Request) -> Response:
        """The whole page."""
        return templating.page(request, "overview/page.html", **template_values(self.measure()))

    def show_fragment(self, _: ConsoleContext, request: Request) -> Response:
        """The newest measurements."""
        return templating.page(request, "overview/fragment.html", **template_values(self.measure()))


def template_values(measured: Measurements) -> Mapping[str, Any]:
    """The values for the templates."""
    return {
        "at": measured.at,
        "verdict": model.overall_status(measured),
        "unknown": model.unknown_parts(measured),
        "stages": model.stages(measured.queues),
        "database": model.database(measured),
        "dead": model.dead_letter_count(measured.queues),
        "runs": model.run_views(measured),
        "rows": measured.rows,
        "groups": filters.grouped(measured.dead_letters.value) if isinstance(measured.dead_letters, Measured) else [],
        "dead_letters": measured.dead_letters,
        "history": measured.history,
        "failing_rules": model.failing_rules(measured),
        "unmeasured_rules": model.unmeasured_rules(measured),
        "rule_count": len({judged.rule.name for judged in measured.verdicts}),
        "freshness": model.freshness(measured),
        "workers": measured.workers,
        "services_without_workers": model.services_without_workers(measured),
        "silent": stats.SILENT_AFTER_SECONDS,
        "latencies": measured.latencies,
        "SLOTS": model.SLOTS,
        "plot": plots.plot,
        "summary": lambda work: MessageSubject(work.body).summary,
    }
