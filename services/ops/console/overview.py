"""What the measurements mean, as the page says it. Pure: from Measurements to what the templates print."""

from collections import defaultdict
from dataclasses import dataclass

from services.ops.console.gauge import Known, Unknown
from services.ops.console.watch import Measurements
from services.ops.dead_letters import DeadLetter
from services.ops.queues import Depth
from services.ops.runs import Run
from shared.topology import QUEUES

SLOTS = 10  # places in the drawing of a queue; each stands for twice as many messages as the one before
FRESH = 10.0  # s that a count goes without its time
STORES = {  # what a service reads from is left of its queue
    "extractor": ("source", "Source", "an API"),
    "transformer": ("bronze", "Bronze", "raw, in S3"),
    "loader": ("silver", "Silver", "checked, in S3"),
}


@dataclass(frozen=True)
class Store:
    """Where data rests; `kind` picks the drawing."""

    kind: str
    title: str
    detail: str


@dataclass(frozen=True)
class Hop:
    """One step of the pipeline: what lies there, the queue of its events, and the service that takes them."""

    store: Store
    queue: str
    service: str
    depth: Depth | None  # None: unknown
    activity: str

    @property
    def filled(self) -> int:
        """Slots of the drawn queue that hold something: 1 message is one, 512 and more are all."""
        return min(SLOTS, self.depth.visible.bit_length()) if self.depth else 0


@dataclass(frozen=True)
class RunView:
    """A run, and what is known about whether it goes on: complete, running, incomplete or unknown."""

    run: Run
    state: str
    dead: int  # dead letters that name it


@dataclass(frozen=True)
class Group:
    """Dead letters of one queue with the same type of error, and one of them."""

    queue: str
    error_type: str
    count: int
    example: DeadLetter


@dataclass(frozen=True)
class Verdict:
    """The page in one line. `level` is broken, dead, unknown, working or quiet, the worst first."""

    level: str
    text: str


def hops(depths: Known[list[Depth]] | Unknown) -> list[Hop]:
    """The pipeline up to the database, left to right."""
    known = {depth.name: depth for depth in depths.value} if isinstance(depths, Known) else {}
    return [
        Hop(Store(*STORES[queue.service]), queue.name, queue.service, depth, _activity(depth))
        for queue in QUEUES
        for depth in [known.get(queue.name)]
    ]


def database(measured: Measurements) -> Store:
    """The pipeline's end, with the number of rows and, where it is not of now, its time."""
    rows = measured.rows
    if isinstance(rows, Unknown):
        return Store("database", "Postgres", "rows unknown")
    total = sum(sum(tables.values()) for tables in rows.value.values())
    late = (measured.at - rows.at).total_seconds() > FRESH
    return Store("database", "Postgres", f"{total:,} rows" + (f" at {rows.at:%H:%M:%S}" if late else ""))


def run_views(measured: Measurements) -> list[RunView]:
    """The runs, newest first; none where they are unknown."""
    if isinstance(measured.runs, Unknown):
        return []
    letters = measured.dead_letters.value if isinstance(measured.dead_letters, Known) else []
    busy = None if isinstance(measured.queues, Unknown) else not measured.quiet
    return [
        RunView(run, run.state(busy=busy), sum(run.run_id in letter.body for letter in letters))
        for run in measured.runs.value
    ]


def groups(letters: list[DeadLetter]) -> list[Group]:
    """By queue and type of error, in the order of the pipeline, most letters first."""
    together: dict[tuple[str, str], list[DeadLetter]] = defaultdict(list)
    for letter in letters:
        together[letter.queue, letter.error_type].append(letter)
    order = [queue.name for queue in QUEUES]
    found = [Group(queue, error, len(same), same[0]) for (queue, error), same in together.items()]
    return sorted(found, key=lambda group: (order.index(group.queue), -group.count))


def dead(depths: Known[list[Depth]] | Unknown) -> int | None:
    """Dead letters on all queues; None: unknown."""
    return sum(depth.dead for depth in depths.value) if isinstance(depths, Known) else None


def unknown_parts(measured: Measurements) -> dict[str, str]:
    """{part: why it could not be measured}."""
    parts = {
        "Queues": measured.queues,
        "Runs": measured.runs,
        "Rows": measured.rows,
        "Dead letters": measured.dead_letters,
    }
    return {part: found.reason for part, found in parts.items() if isinstance(found, Unknown)}


def verdict(measured: Measurements) -> Verdict:
    """What whoever is on call must know first."""
    views = run_views(measured)
    waiting = dead(measured.queues)
    if broken := [view.run.run_id for view in views if not view.run.conserved]:
        return Verdict("broken", f"{_counted(len(broken), 'run does', 'runs do')} not add up: {', '.join(broken)}")
    if waiting:
        return Verdict("dead", f"{_counted(waiting, 'dead letter waits', 'dead letters wait')} for you")
    if unknown := unknown_parts(measured):
        return Verdict("unknown", f"Not everything can be measured: {', '.join(unknown).lower()} unknown")
    under_way = _under_way(measured.queues)
    if under_way:
        return Verdict("working", f"{_counted(under_way, 'message is', 'messages are')} on the way")
    incomplete = sum(view.state == "incomplete" for view in views)
    rest = (
        f"; {_counted(incomplete, 'run below is', 'runs below are')} incomplete" if incomplete else ", nothing is dead"
    )
    return Verdict("quiet", f"All quiet: nothing is on the way{rest}")


def _activity(depth: Depth | None) -> str:
    if depth is None:
        return "unknown"
    if depth.in_flight:
        return "at work"
    return "takes nothing" if depth.visible else "nothing to do"


def _under_way(depths: Known[list[Depth]] | Unknown) -> int:
    if isinstance(depths, Unknown):
        return 0
    return sum(depth.visible + depth.in_flight + depth.delayed for depth in depths.value)


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
