"""Queues and workers as tables, and workers as JSON."""

import time
from collections.abc import Iterable
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.ops.cli import formatting
from services.ops.cli.output import out, plain
from services.ops.queues.messages import MessageSubject
from services.ops.queues.monitor import Sample
from services.ops.queues.rates import QueueStatus
from services.ops.queues.retries import RetryGroup, retry_groups
from services.ops.queues.stats import SILENT_AFTER_SECONDS
from shared.config.topology import QUEUES
from shared.engine.worker_status import InFlightMessage, ObservedStatus

WIDEST_HOST = 20  # columns
OTHERS = 72  # columns that a worker's line takes besides what it works on
SHORTEST = 12  # columns for what it works on


def whole_picture(beat: Sample) -> RenderableType:
    """Queues, what is tried again where anything is, and workers."""
    troubles = beat.look.troubles
    again: list[RenderableType] = [wait_table(retry_groups(troubles)), ""] if troubles else []
    return Group(queue_picture(beat), "", *again, worker_table(beat.look.workers))


def queue_picture(beat: Sample) -> RenderableType:
    """The queues, when they were looked at, and why something is unknown."""
    problems = [Text.from_markup(f"[yellow]unknown[/yellow]: {plain(problem)}") for problem in beat.look.problems]
    return Group(f"{beat.at:%Y-%m-%d %H:%M:%S} UTC", "", queue_table(beat.flows), *problems)


def queue_table(found: Iterable[QueueStatus]) -> Table:
    """A line for each queue."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("queue", no_wrap=True)
    for title in ("waiting", "in flight", "delayed", "oldest", "in/s", "out/s", "empty in", "dead letters"):
        table.add_column(title, justify="right", no_wrap=True)
    for flow in found:
        table.add_row(
            flow.queue,
            *map(formatting.count, (flow.visible, flow.in_flight, flow.delayed)),
            waited(flow),
            formatting.rate(flow.rate_in),
            formatting.rate(flow.rate_out),
            empty_in(flow),
            formatting.alarming(flow.dead),
        )
    return table


def wait_table(found: list[RetryGroup]) -> Table:
    """A line for each reason why messages will be tried again."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("tried again", no_wrap=True)
    for title in ("messages", "attempt", "next in"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("because", no_wrap=True, overflow="ellipsis")
    for wait in found:
        attempt, again = f"{wait.attempt} of {wait.attempts}", formatting.duration(wait.again_at - time.time())
        why = f"[red]{plain(wait.error_type)}[/red] {plain(wait.reason)}"
        table.add_row(wait.queue, f"{wait.messages:,}", attempt, again, why)
    return table


def worker_table(workers: list[ObservedStatus] | None) -> RenderableType:
    """A line for each process, and for each service without one."""
    if workers is None:
        return Text.from_markup(f"workers {formatting.UNKNOWN}")
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("service", no_wrap=True)
    table.add_column("host", no_wrap=True, overflow="ellipsis", max_width=WIDEST_HOST)
    for title in ("pid", "up", "settled", "last"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("now", no_wrap=True, overflow="ellipsis")
    room = max(SHORTEST, out.width - OTHERS)
    for queue in QUEUES:
        processes = [seen for seen in workers if seen.note.service == queue.service]
        for seen in processes:
            table.add_row(*_worker(seen, room))
        if not processes:
            table.add_row(queue.service, "", "", "", "", "", "[red]no worker lives[/red]")
    return table


def worker_json(seen: ObservedStatus) -> dict[str, object]:
    """A process for programs: durations in seconds."""
    note = seen.note
    working = [
        {
            **asdict(work),
            "about": MessageSubject(work.body).summary,
            "seconds": round(seen.seconds_since(work.since), 3),
        }
        for work in note.working
    ]
    last = None if note.last_settled is None else round(seen.seconds_since(note.last_settled), 3)
    return {
        **asdict(note),
        "working": working,
        "heard_seconds_ago": round(seen.ago, 3),
        "up_seconds": round(seen.seconds_since(note.since), 3),
        "last_settled_seconds_ago": last,
    }


def subject_text(subject: MessageSubject, width: int) -> str:
    """What a message is about in so many columns: the end of keys, where they differ, the beginning of a command."""
    shorten = formatting.tail if subject.objects else formatting.head
    return plain(shorten(subject.summary, width))


def waited(flow: QueueStatus) -> str:
    """How long the oldest message has waited."""
    return "-" if flow.oldest == 0 else formatting.duration(flow.oldest)


def empty_in(flow: QueueStatus) -> str:
    """When the queue is empty if it goes on like this."""
    if flow.trend == "shrinking":
        return formatting.duration(flow.empty_in)
    return {
        "empty": "-",
        "unknown": formatting.UNKNOWN,
        "steady": "[yellow]stands still[/yellow]",
        "growing": "[yellow]grows[/yellow]",
    }[flow.trend]


def _worker(seen: ObservedStatus, room: int) -> tuple[str, ...]:
    note = seen.note
    last = "never" if note.last_settled is None else formatting.duration(seen.seconds_since(note.last_settled))
    up = formatting.duration(seen.seconds_since(note.since))
    return (note.service, plain(note.host), str(note.pid), up, f"{note.settled:,}", last, _now(seen, room))


def _now(seen: ObservedStatus, room: int) -> str:
    if seen.ago > SILENT_AFTER_SECONDS:
        return f"[yellow]silent for {formatting.duration(seen.ago)}[/yellow]"
    working = [_work(seen, work, room) for work in seen.note.working]
    if outage := seen.note.outage:
        since = formatting.duration(seen.seconds_since(outage.since))
        working.append(f"[red]{plain(outage.part)} away for {since}[/red]: {plain(outage.reason)}")
    return "\n".join(working) or "[dim]waits[/dim]"


def _work(seen: ObservedStatus, work: InFlightMessage, room: int) -> str:
    took = formatting.duration(seen.seconds_since(work.since))
    attempt = f", attempt {work.receives}" if work.receives > 1 else ""
    return f"{took}{attempt}: {subject_text(MessageSubject(work.body), room - len(attempt))}"
