"""Runs as a person reads them, and as a program does."""

from dataclasses import asdict

from services.ops.cli import formatting
from services.ops.cli.output import plain, say
from services.ops.runs.cli_watch import left
from services.ops.runs.details import NAMED, Details, Part, Waiting
from services.ops.runs.runs import Run

COLOURS = {"complete": "green", "running": "blue", "incomplete": "red", "refused": "yellow", "unknown": "yellow"}
SHOWN = 20  # parts, the unfinished ones first


def run_json(run: Run, state: str) -> dict[str, object]:
    """A run for programs, with what its figures mean."""
    return {
        **asdict(run),
        "state": state,
        "conserved": run.conserved,
        "missing": run.missing,
        "seconds": run.seconds,
        "pages_per_second": run.rate,
        "seconds_left": run.seconds_left,
    }


def say_run(run: Run, state: str) -> None:
    """A run in three lines: what and how far, the law, coverage and warnings."""
    params = " ".join(f"{name}={value}" for name, value in run.params.items())
    say(f"[bold]{run.run_id}[/bold]  {plain(run.dataset)}  {plain(params)}".rstrip())
    say(f"  {state_line(run, state)}")
    say(f"  {law(run)}")


def state_line(run: Run, state: str) -> str:
    """How far it is, and what is to be expected."""
    if run.rejected_reason:
        return f"[{COLOURS[state]}]{state}[/]: {plain(run.rejected_reason)}"
    pages = f"page {run.pages:,} of {run.planned_pages:,}"
    told = [f"[{COLOURS[state]}]{state}[/]", pages, f"{_lasted(state)} {formatting.duration(run.seconds)}"]
    if state == "running":
        told.append(
            f"{formatting.rate(run.rate)} pages/s, {left(run)}" if run.rate else "[yellow]stands still[/yellow]"
        )
    if state == "incomplete":
        told.append("smelt reconcile says what is missing and why")
    if run.distinct_records is not None:
        told.append(f"{run.distinct_records:,} of {run.expected_records:,} announced")
    if run.missing:
        told.append(f"[yellow]{run.missing:,} missing[/yellow]")
    if run.warnings:
        told.append(f"[yellow]{formatting.counted(run.warnings, 'warning')}[/yellow]")
    return ", ".join(told)


def law(run: Run) -> str:
    """The counts, and whether they add up."""
    if run.conserved:
        return run.conservation
    lost = run.quarantined - run.in_quarantine
    why = f" ({formatting.counted(lost, 'rejected record')} not to be found)" if lost > 0 else ""
    return f"{run.conservation}  [red]does not add up{why}[/red]"


def to_json(run_id: str, found: Details | None, waiting: Waiting) -> dict[str, object]:
    """Everything about a run for programs; `run` is null where its plan is not in the ledger."""
    known = {**asdict(found), "run": run_json(found.run, found.state)} if found else {"run": None}
    return {
        "run_id": run_id,
        **known,
        "dead_letters": [asdict(letter) for letter in waiting.dead_letters],
        "unseen_dead_letters": waiting.unseen,
        "troubles": [asdict(trouble) for trouble in waiting.troubles],
    }


def say_details(run_id: str, found: Details | None, waiting: Waiting) -> None:
    """The same for a person; only what there is."""
    if found:
        _say_found(found)
    else:
        say(f"[red]no run {plain(run_id)} in the ledger[/red]: not planned yet, or never started")
    for letter in waiting.dead_letters:
        say(f"[red]dead letter[/red]  {letter.id[:8]}  {plain(letter.line)}")
    for trouble in waiting.troubles:
        attempts = f"attempt {trouble.attempt} of {trouble.attempts}"
        say(f"[yellow]waits[/yellow]        {trouble.service}: {plain(trouble.error)} ({attempts})")
    if waiting.unseen:
        say(f"[yellow]{formatting.counted(waiting.unseen, 'dead letter')} more could not be seen[/yellow]")


def _say_found(found: Details) -> None:
    run = found.run
    say_run(run, found.state)
    ended = f"complete {run.completed_at:%Y-%m-%d %H:%M:%S} UTC" if run.completed_at else "not complete"
    say(f"  planned {run.planned_at:%Y-%m-%d %H:%M:%S} UTC by {plain(run.trigger)}, {ended}")
    _say_parts(found.parts)
    _say_missing(found)
    for one in found.warnings:
        where = (
            f"{formatting.counted(one.pages, 'page')}, {formatting.counted(one.records, 'record')}"
            if one.pages
            else "run"
        )
        say(f"[yellow]warning[/yellow]      {plain(one.rule)} {plain(one.field)}: {plain(one.message)} ({where})")
    for row in found.drift:
        what = f"{row['kind']} {row['path']}: {row['detail']}"
        say(f"[yellow]drift[/yellow]        {plain(what)} ({formatting.counted(row['records'], 'record')})")
    for group in found.quarantine:
        why = f"{group.rule} ({group.field}): {group.message}"
        say(f"[red]quarantine[/red]   {group.records:,}, {group.still_open:,} open: {plain(why)}")
    for row in found.replays:
        done = f"{row['sent']:,} of {row['found']:,} {row['outcome']}, by {row['who']}"
        say(f"replay       {row['id']}: {row['kind']}, {row['started_at']:%Y-%m-%d %H:%M}, {plain(done)}")


def _say_parts(parts: tuple[Part, ...]) -> None:
    first = sorted(parts, key=lambda part: (part.loaded >= part.pages, part.number))
    for part in first[:SHOWN]:
        params = " ".join(f"{name}={value}" for name, value in part.params.items())
        pages = f"page {part.loaded:,} of {part.pages:,}"
        say(f"part {part.number:<8,}{pages}, {part.rows:,} rows planned  [dim]{plain(params)}[/dim]")
    if (more := len(parts) - SHOWN) > 0:
        say(f"[dim]             and {formatting.counted(more, 'part')} more[/dim]")


def _say_missing(found: Details) -> None:
    for page in found.missing:
        why = "fetched, not loaded" if page.fetched else "never fetched"
        if page.unreadable:
            why = f"fetched, and cannot be read: {plain(page.unreadable)}"
        say(f"[red]missing[/red]      part {page.part}, page {page.page} of {page.of}: {why}")
    if len(found.missing) == NAMED and (more := found.run.planned_pages - found.run.pages - NAMED) > 0:
        say(f"[dim]             and {formatting.counted(more, 'page')} more[/dim]")


def _lasted(state: str) -> str:
    return "in" if state == "complete" else "for"
