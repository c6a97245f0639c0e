"""Output of runs as text and JSON."""

from dataclasses import asdict

from services.ops.cli import formatting
from services.ops.cli.output import plain, say
from services.ops.runs.cli_watch import left
from services.ops.runs.details import MAX_MISSING_SHOWN, PartProgress, RunDetails, Waiting
from services.ops.runs.runs import Run

COLOURS = {"complete": "green", "running": "blue", "incomplete": "red", "rejected": "yellow", "unknown": "yellow"}
SHOWN = 20  # parts, unfinished ones first


def run_json(run: Run, state: str) -> dict[str, object]:
    """A run as JSON, with derived figures."""
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
    """Print a run in three lines."""
    params = " ".join(f"{name}={value}" for name, value in run.params.items())
    say(f"[bold]{run.run_id}[/bold]  {plain(run.dataset)}  {plain(params)}".rstrip())
    say(f"  {state_line(run, state)}")
    say(f"  {conservation_line(run)}")


def state_line(run: Run, state: str) -> str:
    """The state and progress of a run."""
    if run.rejected_reason:
        return f"[{COLOURS[state]}]{state}[/]: {plain(run.rejected_reason)}"
    pages = f"page {run.pages:,} of {run.planned_pages:,}"
    parts = [f"[{COLOURS[state]}]{state}[/]", pages, f"{_lasted(state)} {formatting.duration(run.seconds)}"]
    if state == "running":
        parts.append(
            f"{formatting.rate(run.rate)} pages/s, {left(run)}" if run.rate else "[yellow]no progress[/yellow]"
        )
    if state == "incomplete":
        parts.append("smelt reconcile says what is missing and why")
    if run.distinct_records is not None:
        announced = f"of {run.expected_records:,} announced" if run.expected_records else "records, no number announced"
        parts.append(f"{run.distinct_records:,} {announced}")
    if run.missing:
        parts.append(f"[yellow]{run.missing:,} missing[/yellow]")
    if run.warnings:
        parts.append(f"[yellow]{formatting.counted(run.warnings, 'warning')}[/yellow]")
    return ", ".join(parts)


def conservation_line(run: Run) -> str:
    """The conservation equation, and whether it holds."""
    if run.conserved:
        return run.conservation
    lost = run.quarantined - run.in_quarantine
    why = f" ({formatting.counted(lost, 'rejected record')} missing from quarantine)" if lost > 0 else ""
    return f"{run.conservation}  [red]does not add up{why}[/red]"


def to_json(run_id: str, details: RunDetails | None, waiting: Waiting) -> dict[str, object]:
    """All details of a run as JSON; `run` is null if its plan is not in the ledger."""
    known_fields = {**asdict(details), "run": run_json(details.run, details.state)} if details else {"run": None}
    return {
        "run_id": run_id,
        **known_fields,
        "dead_letters": [asdict(letter) for letter in waiting.dead_letters],
        "unseen_dead_letters": waiting.unseen,
        "retries": [asdict(retry) for retry in waiting.retries],
    }


def say_details(run_id: str, details: RunDetails | None, waiting: Waiting) -> None:
    """Print all details of a run."""
    if details:
        _say_run_details(details)
    else:
        say(f"[red]no run {plain(run_id)} in the ledger[/red]: not planned yet, or never started")
    for letter in waiting.dead_letters:
        say(f"[red]dead letter[/red]  {letter.id[:8]}  {plain(letter.line)}")
    for retry in waiting.retries:
        attempts = f"attempt {retry.attempt} of {retry.attempts}"
        say(f"[yellow]waits[/yellow]        {retry.service}: {plain(retry.error)} ({attempts})")
    if waiting.unseen:
        say(f"[yellow]{formatting.counted(waiting.unseen, 'dead letter')} more could not be read[/yellow]")


def _say_run_details(details: RunDetails) -> None:
    run = details.run
    say_run(run, details.state)
    ended = f"complete {run.completed_at:%Y-%m-%d %H:%M:%S} UTC" if run.completed_at else "not complete"
    say(f"  planned {run.planned_at:%Y-%m-%d %H:%M:%S} UTC by {plain(run.trigger)}, {ended}")
    _say_parts(details.parts)
    _say_missing(details)
    for warning in details.warnings:
        where = (
            f"{formatting.counted(warning.pages, 'page')}, {formatting.counted(warning.records, 'record')}"
            if warning.pages
            else "run"
        )
        text = f"{warning.rule} {warning.field}: {warning.message}"
        say(f"[yellow]warning[/yellow]      {plain(text)} ({where})")
    for row in details.drift:
        what = f"{row['kind']} {row['path']}: {row['detail']}"
        say(f"[yellow]drift[/yellow]        {plain(what)} ({formatting.counted(row['records'], 'record')})")
    for group in details.quarantine:
        why = f"{group.rule} ({group.field}): {group.message}"
        say(f"[red]quarantine[/red]   {group.records:,}, {group.still_open:,} open: {plain(why)}")
    for row in details.operator_actions:
        done = f"{row['processed']:,} of {row['matched']:,} {row['outcome']}, by {row['operator']}"
        say(f"replay       {row['id']}: {row['kind']}, {row['started_at']:%Y-%m-%d %H:%M}, {plain(done)}")


def _say_parts(parts: tuple[PartProgress, ...]) -> None:
    first = sorted(parts, key=lambda part: (part.loaded >= part.pages, part.number))
    for part in first[:SHOWN]:
        params = " ".join(f"{name}={value}" for name, value in part.params.items())
        pages = f"page {part.loaded:,} of {part.pages:,}"
        say(f"part {part.number:<8,}{pages}, {part.rows:,} rows planned  [dim]{plain(params)}[/dim]")
    if (more := len(parts) - SHOWN) > 0:
        say(f"[dim]             and {formatting.counted(more, 'part')} more[/dim]")


def _say_missing(details: RunDetails) -> None:
    for page in details.missing:
        why = "fetched, not loaded" if page.fetched else "never fetched"
        if page.unreadable:
            why = f"fetched, but unreadable: {plain(page.unreadable)}"
        say(f"[red]missing[/red]      part {page.part}, page {page.page} of {page.of}: {why}")
    more = details.run.planned_pages - details.run.pages - len(details.missing)
    if len(details.missing) == MAX_MISSING_SHOWN and more > 0:
        say(f"[dim]             and {formatting.counted(more, 'page')} more[/dim]")


def _lasted(state: str) -> str:
    return "in" if state == "complete" else "for"
