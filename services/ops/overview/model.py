"""What the measurements mean, as the page says it. Pure: from Measurements to what the templates print."""

from dataclasses import dataclass
from math import isfinite

from services.ops.health import rules
from services.ops.health.rules import Verdict as Judgement
from services.ops.overview.collector import Measurements, Queues
from services.ops.probe import Measured, Unavailable
from services.ops.queues.rates import QueueStatus
from services.ops.runs.views import RunView
from services.ops.web import formatting
from shared.config.topology import QUEUES

SLOTS = 10  # places in the drawing of a queue; each stands for twice as many messages as the one before
FRESH = 10.0  # s that a count goes without its time
STORES = {  # what a service reads from is left of its queue
    "extractor": ("source", "Source", "an API"),
    "transformer": ("bronze", "Bronze", "raw, in S3"),
    "loader": ("silver", "Silver", "checked, in S3"),
}


@dataclass(frozen=True)
class StageLabel:
    """Where data rests; `kind` picks the drawing."""

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
        """Slots of the drawn queue that hold something: 1 message is one, 512 and more are all."""
        return min(SLOTS, (self.flow.visible or 0).bit_length()) if self.flow else 0


@dataclass(frozen=True)
class PipelineStage:
    """One step of the pipeline: what lies there, the queues of its events, and the service that takes them."""

    store: StageLabel
    lanes: tuple[QueueView, ...]
    service: str

    @property
    def activity(self) -> str:
        """What the service does, as far as its queues tell."""
        flows = [lane.flow for lane in self.lanes if lane.flow]
        if any(flow.in_flight for flow in flows):
            return "at work"
        if len(flows) < len(self.lanes):
            return "unknown"
        return "takes nothing" if any(flow.visible for flow in flows) else "nothing to do"


@dataclass(frozen=True)
class Alert:
    """A rule that does not hold, or that nobody could judge, of one subject."""

    rule: str
    subject: str
    state: str
    told: str
    note: str
    runbook: str


@dataclass(frozen=True)
class Verdict:
    """The page in one line. `level` is broken, dead, unknown, working or quiet, the worst first."""

    level: str
    text: str


def stages(queues: Queues) -> list[PipelineStage]:
    """The pipeline up to the database, left to right."""
    known = {flow.queue: flow for flow in queues.value} if isinstance(queues, Measured) else {}
    return [
        PipelineStage(
            StageLabel(*store),
            tuple(QueueView(queue.name, known.get(queue.name)) for queue in QUEUES if queue.code == service),
            service,
        )
        for service, store in STORES.items()
    ]


def database(measured: Measurements) -> StageLabel:
    """The pipeline's end, with the number of rows and, where it is not of now, its time."""
    rows = measured.rows
    if isinstance(rows, Unavailable):
        return StageLabel("database", "Postgres", "rows unknown")
    total = sum(sum(tables.values()) for tables in rows.value.values())
    late = (measured.at - rows.at).total_seconds() > FRESH
    return StageLabel("database", "Postgres", f"{total:,} rows" + (f" at {rows.at:%H:%M:%S}" if late else ""))


def run_views(measured: Measurements) -> list[RunView]:
    """The runs, newest first; none where they are unknown."""
    if isinstance(measured.runs, Unavailable):
        return []
    letters = measured.dead_letters.value if isinstance(measured.dead_letters, Measured) else []
    busy = None if isinstance(measured.queues, Unavailable) else not measured.quiet
    return [
        RunView(run, run.state(busy=busy), sum(run.run_id in letter.body for letter in letters))
        for run in measured.runs.value
    ]


def failing_rules(measured: Measurements) -> list[Alert]:
    """Rules that do not hold, the worst first."""
    bad = [judged for judged in measured.verdicts if judged.state not in {"ok", "unknown"}]
    return [_alert(judged) for judged in sorted(bad, key=lambda judged: -rules.SEVERITY.index(judged.state))]


def unmeasured_rules(measured: Measurements) -> list[Alert]:
    """Rules that nobody could judge."""
    return [_alert(judged) for judged in measured.verdicts if judged.state == "unknown"]


def freshness(measured: Measurements) -> list[Judgement]:
    """Of every dataset that promises to be fresh."""
    return [judged for judged in measured.verdicts if judged.rule.name == "freshness"]


def services_without_workers(measured: Measurements) -> list[str]:
    """Services that no worker was heard of; none where the workers are unknown."""
    if isinstance(measured.workers, Unavailable):
        return []
    heard = {seen.note.service for seen in measured.workers.value}
    return [queue.service for queue in QUEUES if queue.service not in heard]


def dead_letter_count(queues: Queues) -> int | None:
    """Dead letters on all queues; None: unknown."""
    return sum(flow.dead or 0 for flow in queues.value) if isinstance(queues, Measured) else None


def unknown_parts(measured: Measurements) -> dict[str, str]:
    """{part: why it could not be measured}."""
    parts = {
        "Queues": measured.queues,
        "Runs": measured.runs,
        "Rows": measured.rows,
        "Dead letters": measured.dead_letters,
    }
    return {part: found.reason for part, found in parts.items() if isinstance(found, Unavailable)}


def verdict(measured: Measurements) -> Verdict:
    """What whoever is on call must know first."""
    views = run_views(measured)
    waiting = dead_letter_count(measured.queues)
    if broken := [view.run.run_id for view in views if not view.run.conserved]:
        return Verdict("broken", f"{_counted(len(broken), 'run does', 'runs do')} not add up: {', '.join(broken)}")
    if waiting:
        return Verdict("dead", f"{_counted(waiting, 'dead letter waits', 'dead letters wait')} for you")
    if unknown := unknown_parts(measured):
        return Verdict("unknown", f"Not everything can be measured: {', '.join(unknown).lower()} unknown")
    if isinstance(measured.queues, Measured) and (under_way := sum(flow.total or 0 for flow in measured.queues.value)):
        return Verdict("working", f"{_counted(under_way, 'message is', 'messages are')} on the way")
    incomplete = sum(view.state == "incomplete" for view in views)
    rest = (
        f"; {_counted(incomplete, 'run below is', 'runs below are')} incomplete" if incomplete else ", nothing is dead"
    )
    return Verdict("quiet", f"All quiet: nothing is on the way{rest}")


def _alert(judged: Judgement) -> Alert:
    rule = judged.rule
    told = rule.wrong
    if judged.value is not None and isfinite(judged.value):
        told += f": {_worded(judged.value, rule.unit)}, at most {_worded(judged.limit, rule.unit)}"
    note = f" ({judged.note})" if judged.note and judged.state != "unknown" else ""
    return Alert(rule.name, judged.subject, judged.state, told + note, judged.note, rule.runbook)


def _worded(value: float, unit: rules.Unit) -> str:
    if unit == "seconds":
        return formatting.duration(value)
    return f"{value:.1%}" if unit == "share" else f"{value:,.0f}"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
