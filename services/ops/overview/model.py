"""Converts measurements into what the overview's templates show. No I/O."""

from dataclasses import dataclass
from math import isfinite

from services.ops.health import rules
from services.ops.health.rules import Verdict
from services.ops.overview.collector import Measurements, Queues
from services.ops.probe import Measured, Unavailable
from services.ops.queues.rates import QueueStatus
from services.ops.runs.views import RunView
from services.ops.web import formatting
from shared.config.topology import QUEUES

SLOTS = 10  # steps in the drawing of a queue; each stands for twice as many messages as the one before
CURRENT_SECONDS = 10.0  # older counts are shown with their time
STORES = {  # {folder of a worker's code: what it reads}; uploads is a second queue of the transformer
    "extractor": ("source", "Source", "an API"),
    "transformer": ("bronze", "Bronze", "raw, in S3"),
    "loader": ("silver", "Silver", "checked, in S3"),
}


@dataclass(frozen=True)
class StageLabel:
    """A data store; `kind` selects the drawing."""

    kind: str
    title: str
    detail: str


@dataclass(frozen=True)
class QueueView:
    """A queue between a store and a service."""

    queue: str
    flow: QueueStatus | None  # None: unknown

    @property
    def filled(self) -> int:
        """The number of filled steps: 1 for one message, all for 512 and more."""
        return min(SLOTS, (self.flow.visible or 0).bit_length()) if self.flow else 0


@dataclass(frozen=True)
class PipelineStage:
    """A stage of the pipeline: a store, the queues of its events, and the service that consumes them."""

    store: StageLabel
    lanes: tuple[QueueView, ...]
    service: str

    @property
    def activity(self) -> str:
        """The service's activity according to its queues."""
        statuses = [lane.flow for lane in self.lanes if lane.flow]
        if any(flow.in_flight for flow in statuses):
            return "at work"
        if len(statuses) < len(self.lanes):
            return "unknown"
        return "takes nothing" if any(flow.visible for flow in statuses) else "nothing to do"


@dataclass(frozen=True)
class Alert:
    """A failing or unmeasured rule for one subject."""

    rule: str
    subject: str
    state: str
    text: str
    note: str
    runbook: str


@dataclass(frozen=True)
class OverallStatus:
    """The overall status in one line. `level` is broken, dead, unknown, working or quiet, worst first."""

    level: str
    text: str


def stages(queues: Queues) -> list[PipelineStage]:
    """The stages up to the database, in order."""
    statuses = {status.queue: status for status in queues.value} if isinstance(queues, Measured) else {}
    return [
        PipelineStage(
            StageLabel(*store),
            tuple(QueueView(queue.name, statuses.get(queue.name)) for queue in QUEUES if queue.code == service),
            service,
        )
        for service, store in STORES.items()
    ]


def database(measured: Measurements) -> StageLabel:
    """The database with its number of rows, and their time if not current."""
    rows = measured.rows
    if isinstance(rows, Unavailable):
        return StageLabel("database", "Postgres", "rows unknown")
    total = sum(sum(tables.values()) for tables in rows.value.values())
    late = (measured.at - rows.at).total_seconds() > CURRENT_SECONDS
    return StageLabel("database", "Postgres", f"{total:,} rows" + (f" at {rows.at:%H:%M:%S}" if late else ""))


def run_views(measured: Measurements) -> list[RunView]:
    """The runs, newest first; empty if unknown."""
    if isinstance(measured.runs, Unavailable):
        return []
    letters = measured.dead_letters.value if isinstance(measured.dead_letters, Measured) else []
    busy = None if isinstance(measured.queues, Unavailable) else not measured.quiet
    return [
        RunView(run, run.state(busy=busy), sum(run.run_id in letter.body for letter in letters))
        for run in measured.runs.value
    ]


def failing_rules(measured: Measurements) -> list[Alert]:
    """Failing rules, worst first."""
    bad = [judged for judged in measured.verdicts if judged.state not in {"ok", "unknown"}]
    return [_alert(judged) for judged in sorted(bad, key=lambda judged: -rules.SEVERITY.index(judged.state))]


def unmeasured_rules(measured: Measurements) -> list[Alert]:
    """Rules without a measurement."""
    return [_alert(judged) for judged in measured.verdicts if judged.state == "unknown"]


def freshness(measured: Measurements) -> list[Verdict]:
    """Freshness of every dataset with a limit."""
    return [judged for judged in measured.verdicts if judged.rule.name == "freshness"]


def services_without_workers(measured: Measurements) -> list[str]:
    """Services without a running worker; empty if unknown."""
    if isinstance(measured.workers, Unavailable):
        return []
    with_workers = {worker.note.service for worker in measured.workers.value}
    return [queue.service for queue in QUEUES if queue.service not in with_workers]


def dead_letter_count(queues: Queues) -> int | None:
    """Dead letters on all queues; None if unknown."""
    return sum(flow.dead or 0 for flow in queues.value) if isinstance(queues, Measured) else None


def unknown_parts(measured: Measurements) -> dict[str, str]:
    """{part: reason why it could not be measured}."""
    parts = {
        "Queues": measured.queues,
        "Runs": measured.runs,
        "Rows": measured.rows,
        "Dead letters": measured.dead_letters,
    }
    return {part: measurement.reason for part, measurement in parts.items() if isinstance(measurement, Unavailable)}


def overall_status(measured: Measurements) -> OverallStatus:
    """The most important status for whoever is on call."""
    views = run_views(measured)
    dead = dead_letter_count(measured.queues)
    if broken := [view.run.run_id for view in views if not view.run.conserved]:
        return OverallStatus(
            "broken", f"{_counted(len(broken), 'run does', 'runs do')} not add up: {', '.join(broken)}"
        )
    if dead:
        return OverallStatus("dead", f"{_counted(dead, 'dead letter needs', 'dead letters need')} attention")
    if unknown := unknown_parts(measured):
        return OverallStatus("unknown", f"Not everything can be measured: {', '.join(unknown).lower()} unknown")
    if isinstance(measured.queues, Measured) and (under_way := sum(flow.total or 0 for flow in measured.queues.value)):
        return OverallStatus("working", f"{_counted(under_way, 'message is', 'messages are')} in progress")
    incomplete = sum(view.state == "incomplete" for view in views)
    rest = (
        f"; {_counted(incomplete, 'run below is', 'runs below are')} incomplete" if incomplete else ", no dead letters"
    )
    return OverallStatus("quiet", f"All quiet: no messages in progress{rest}")


def _alert(judged: Verdict) -> Alert:
    rule = judged.rule
    text_ = rule.wrong
    if judged.value is not None and isfinite(judged.value):
        text_ += f": {_value_text(judged.value, rule.unit)}, at most {_value_text(judged.limit, rule.unit)}"
    note = f" ({judged.note})" if judged.note and judged.state != "unknown" else ""
    return Alert(rule.name, judged.subject, judged.state, text_ + note, judged.note, rule.runbook)


def _value_text(value: float, unit: rules.Unit) -> str:
    if unit == "seconds":
        return formatting.duration(value)
    return f"{value:.1%}" if unit == "share" else f"{value:,.0f}"


def _counted(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}"
