"""Output of queues and workers as tables and JSON."""

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
OTHERS = 72  # columns of a worker's row beside its message
MIN_SUBJECT_WIDTH = 12  # columns


def whole_picture(sample: Sample) -> RenderableType:
    """Queues, pending retries if any, and workers."""
    retries = sample.snapshot.retries
    again: list[RenderableType] = [wait_table(retry_groups(retries)), ""] if retries else []
    return Group(queue_picture(sample), "", *again, worker_table(sample.snapshot.workers))


def queue_picture(sample: Sample) -> RenderableType:
    """The queues, the time of the sample, and reasons of unknown values."""
    problems = [Text.from_markup(f"[yellow]unknown[/yellow]: {plain(problem)}") for problem in sample.snapshot.problems]
    return Group(f"{sample.at:%Y-%m-%d %H:%M:%S} UTC", "", queue_table(sample.statuses), *problems)


def queue_table(statuses: Iterable[QueueStatus]) -> Table:
    """A row for each queue."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("queue", no_wrap=True)
    for title in ("waiting", "in flight", "delayed", "oldest", "in/s", "out/s", "empty in", "dead letters"):
        table.add_column(title, justify="right", no_wrap=True)
    for status in statuses:
        table.add_row(
            status.queue,
            *map(formatting.count, (status.visible, status.in_flight, status.delayed)),
            waited(status),
            formatting.rate(status.rate_in),
            formatting.rate(status.rate_out),
            empty_in(status),
            formatting.alarming(status.dead),
        )
    return table


def wait_table(groups: list[RetryGroup]) -> Table:
    """A row for each reason of pending retries."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("pending retries", no_wrap=True)
    for title in ("messages", "attempt", "next in"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for group in groups:
        attempt, again = f"{group.attempt} of {group.attempts}", formatting.duration(group.again_at - time.time())
        why = f"[red]{plain(group.error_type)}[/red] {plain(group.reason)}"
        table.add_row(group.queue, f"{group.messages:,}", attempt, again, why)
    return table


def worker_table(workers: list[ObservedStatus] | None) -> RenderableType:
    """A row for each process, and for each service without one."""
    if workers is None:
        return Text.from_markup(f"workers {formatting.UNKNOWN}")
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("service", no_wrap=True)
    table.add_column("host", overflow="fold", max_width=WIDEST_HOST)
    for title in ("pid", "up", "settled", "last"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("now", no_wrap=True, overflow="ellipsis")
    room = max(MIN_SUBJECT_WIDTH, out.width - OTHERS)
    for queue in QUEUES:
        processes = [status for status in workers if status.note.service == queue.service]
        for status in processes:
            table.add_row(*_worker(status, room))
        if not processes:
            table.add_row(queue.service, "", "", "", "", "", "[red]no worker is running[/red]")
    return table


def worker_json(status: ObservedStatus) -> dict[str, object]:
    """A process as JSON; durations in seconds."""
    note = status.note
    working = [
        {
            **asdict(work),
            "about": MessageSubject(work.body).summary,
            "seconds": round(status.seconds_since(work.since), 3),
        }
        for work in note.working
    ]
    last = None if note.last_settled is None else round(status.seconds_since(note.last_settled), 3)
    return {
        **asdict(note),
        "working": working,
        "heard_seconds_ago": round(status.ago, 3),
        "up_seconds": round(status.seconds_since(note.since), 3),
        "last_settled_seconds_ago": last,
    }


def subject_text(subject: MessageSubject, width: int) -> str:
    """The subject of a message in this width: the end of keys, where they differ, or the beginning of a command."""
    shorten = formatting.tail if subject.objects else formatting.head
    return plain(shorten(subject.summary, width))


def waited(status: QueueStatus) -> str:
    """The age of the oldest message."""
    return "-" if status.oldest == 0 else formatting.duration(status.oldest)


def empty_in(status: QueueStatus) -> str:
    """The estimated time until the queue is empty."""
    if status.trend == "shrinking":
        return formatting.duration(status.empty_in)
    return {
        "empty": "-",
        "unknown": formatting.UNKNOWN,
        "steady": "[yellow]steady[/yellow]",
        "growing": "[yellow]growing[/yellow]",
    }[status.trend]


def _worker(status: ObservedStatus, room: int) -> tuple[str, ...]:
    note = status.note
    last = "never" if note.last_settled is None else formatting.duration(status.seconds_since(note.last_settled))
    up = formatting.duration(status.seconds_since(note.since))
    return (note.service, plain(note.host), str(note.pid), up, f"{note.settled:,}", last, _now(status, room))


def _now(status: ObservedStatus, room: int) -> str:
    if status.ago > SILENT_AFTER_SECONDS:
        return f"[yellow]silent for {formatting.duration(status.ago)}[/yellow]"
    working = [_work(status, work, room) for work in status.note.working]
    if outage := status.note.outage:
        since = formatting.duration(status.seconds_since(outage.since))
        working.append(f"[red]{plain(outage.part)} unavailable for {since}[/red]: {plain(outage.reason)}")
    return "\n".join(working) or "[dim]idle[/dim]"


def _work(status: ObservedStatus, work: InFlightMessage, room: int) -> str:
    took = formatting.duration(status.seconds_since(work.since))
    attempt = f", attempt {work.receives}" if work.receives > 1 else ""
    return f"{took}{attempt}: {subject_text(MessageSubject(work.body), room - len(attempt))}"
