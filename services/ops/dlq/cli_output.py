"""Output of dead letters as text and JSON."""

from dataclasses import asdict
from datetime import UTC, datetime

from rich.padding import Padding
from rich.table import Table

from services.ops.cli import formatting
from services.ops.cli.output import out, plain, say
from services.ops.dlq.dead_letters import DeadLetter
from services.ops.dlq.filters import DeadLetterGroup
from services.ops.formatting import readable
from services.ops.queues.cli_output import subject_text
from shared.storage.object_id import ObjectId

SHOWN = 5  # letters per group without --all
OTHERS = 60  # columns used beside attempts and subject
NARROWEST = 20  # minimum columns of the subject


def to_json(letter: DeadLetter, now: float) -> dict[str, object]:
    """A dead letter as JSON; `now` is in epoch seconds."""
    return {
        **asdict(letter),
        "attempts": int(letter.attempts) if letter.attempts.isdecimal() else None,
        "age_seconds": _age(letter, now),
        "replays": letter.replays,
        "datasets": sorted(letter.datasets),
        "objects": [asdict(stored) for stored in letter.objects],
        "trace_id": letter.trace_id or None,
    }


def group_to_json(group: DeadLetterGroup, now: float) -> dict[str, object]:
    """A group as JSON, with the ids of its letters."""
    return {
        "queue": group.queue,
        "error_type": group.error_type,
        "reason": group.reason,
        "count": len(group.letters),
        "oldest_seconds": _age(group.letters[0], now),
        "ids": [letter.id for letter in group.letters],
    }


def say_group(group: DeadLetterGroup, now: float, *, every: bool) -> None:
    """Print a group: reason, number, age and subjects."""
    count, oldest = f"{len(group.letters):,}", formatting.duration(_age(group.letters[0], now))
    say(f"\n[bold]{group.queue}-dlq[/bold]  [red]{plain(group.error_type)}[/red]  {count}, oldest {oldest}")
    say(f"  {plain(group.reason)}")
    shown = group.letters if every else group.letters[:SHOWN]
    table = Table(box=None, pad_edge=False, show_header=False)
    for justify in ("left", "right", "left", "left"):
        table.add_column(justify=justify, no_wrap=True)
    tried = [_tried(letter) for letter in shown]
    room = max(NARROWEST, out.width - OTHERS - max(map(len, tried)))
    for letter, times in zip(shown, tried, strict=True):
        table.add_row(
            letter.id,
            formatting.duration(_age(letter, now)),
            plain(times),
            subject_text(letter.subject, room),
        )
    out.print(Padding(table, (0, 0, 0, 4), expand=False))
    if more := len(group.letters) - len(shown):
        say(f"    [dim]and {more:,} more: --all[/dim]")


def say_letter(letter: DeadLetter, now: float, stored: dict[ObjectId, str]) -> None:
    """Print all details of a letter. `stored` has the state of each object in the bucket."""
    since = "unknown" if letter.sent is None else f"{datetime.fromtimestamp(letter.sent, UTC):%Y-%m-%d %H:%M:%S} UTC"
    service = letter.attributes.get("service") or "unknown"
    _say("dead letter", f"[bold]{letter.id}[/bold]")
    _say("queue", f"{letter.queue}-dlq, since {since} ({formatting.duration(_age(letter, now))})")
    _say("error", f"[red]{plain(letter.error_type)}[/red]: {plain(letter.error_message)}")
    _say("attempts", f"{plain(letter.attempts)}, by {plain(service)}; replayed {letter.replays} times")
    for object_id, state in stored.items():
        _say("object", f"s3://{plain(object_id.bucket)}/{plain(object_id.key)}")
        _say("", f"version {plain(object_id.version or 'unknown')}: {state}")
    _say("trace", plain(letter.trace_id or "unknown"))
    for name, value in sorted(letter.attributes.items()):
        _say("attribute", f"{plain(name)} = {plain(value)}")
    cut = f", the first {len(letter.body):,} of {letter.body_chars:,} characters" if letter.is_cut else ""
    say(f"\nbody{cut}")
    for line in readable(letter.body).split("\n"):
        say(f"  {plain(line)}")


def _tried(letter: DeadLetter) -> str:
    return f"tried {letter.attempts}" + (f", replayed {letter.replays}" if letter.replays else "")


def _age(letter: DeadLetter, now: float) -> float | None:
    return None if letter.sent is None else max(0.0, now - letter.sent)


def _say(name: str, value: str) -> None:
    say(f"[dim]{name:<12}[/dim] {value}")
