"""A run drawn while it goes on, and what became of it."""

import time
from collections.abc import Iterable

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from services.ops.cli import formatting
from services.ops.cli.output import out, plain, say
from services.ops.runs import runs
from services.ops.runs.runs import Run
from shared.engine.pending_retries import PendingRetry


def watch_run(looks: Iterable[runs.Progress]) -> runs.Progress:
    """Draw a run until its last look, and return that."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    look = runs.Progress()
    with Progress(*columns, console=out, transient=True) as progress:
        bar = progress.add_task("planning", total=None, left="")
        for look in looks:
            for trouble in look.troubles:
                progress.update(bar, description=plain(_waiting(trouble)))
            if look.run and not look.troubles:
                progress.update(
                    bar,
                    description=f"{look.run.read} postings read, pages",
                    total=look.run.planned_pages,
                    completed=look.run.pages,
                    left=left(look.run),
                )
    return look


def say_outcome(look: runs.Progress) -> None:
    """What became of a run: its counts, or what it lacks and why."""
    for letter in look.dead_letters:
        say(f"[red]dead letter[/red] on {plain(letter.line)}")
    for trouble in look.troubles:
        say(f"[yellow]waits[/yellow]: {plain(_waiting(trouble))}")
    run = look.run
    if run is None:
        explained = look.dead_letters or look.troubles
        say("[red]the run was not planned[/red]" + ("" if explained else ": is an extractor running?"))
        return
    if run.rejected_reason:
        say(f"run {run.run_id} [yellow]refused[/yellow]: {plain(run.rejected_reason)}")
        return
    incomplete = f"[red]incomplete[/red]: page {run.pages} of {run.planned_pages}"
    state = "[green]complete[/green]" if run.completed_at else incomplete
    say(f"run {run.run_id} {state}, {_seconds(run)}")
    say(run.conservation + ("" if run.conserved else "  [red]does not add up[/red]"))
    if run.missing:
        say(f"[yellow]incomplete[/yellow]: {run.missing} of {run.expected_records} announced records were on no page")


def left(run: Run) -> str:
    """When it is through if it goes on as of late; empty where nothing moves."""
    return "" if run.seconds_left is None else f"about {formatting.duration(run.seconds_left)} left"


def _waiting(trouble: PendingRetry) -> str:
    seconds = max(0, trouble.again_at - time.time())
    attempts = f"attempt {trouble.attempt} of {trouble.attempts}, again in {seconds:.0f} s"
    return f"{trouble.service}: {trouble.error} ({attempts})"


def _seconds(run: Run) -> str:
    if run.completed_at is None:
        return "not finished"
    return f"{(run.completed_at - run.planned_at).total_seconds():.1f} s from plan to last row"
