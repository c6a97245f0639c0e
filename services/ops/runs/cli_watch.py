"""Draws the progress of a run, and prints its outcome."""

import time
from collections.abc import Iterable

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from services.ops.cli import formatting
from services.ops.cli.output import out, plain, say
from services.ops.runs import runs
from services.ops.runs.runs import Run
from shared.engine.pending_retries import PendingRetry


def watch_run(looks: Iterable[runs.Progress]) -> runs.Progress:
    """Draw a run's progress; returns the last one."""
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
            for retry in look.retries:
                progress.update(bar, description=plain(_waiting(retry)))
            if look.run and not look.retries:
                progress.update(
                    bar,
                    description=f"{look.run.read} records read, pages",
                    total=look.run.planned_pages,
                    completed=look.run.pages,
                    left=left(look.run),
                )
    return look


def say_outcome(look: runs.Progress) -> None:
    """Print the outcome: counts, or what is missing and why."""
    for letter in look.dead_letters:
        say(f"[red]dead letter[/red] on {plain(letter.line)}")
    for retry in look.retries:
        say(f"[yellow]waits[/yellow]: {plain(_waiting(retry))}")
    run = look.run
    if run is None:
        explained = look.dead_letters or look.retries
        say("[red]the run was not planned[/red]" + ("" if explained else ": is an extractor running?"))
        return
    if run.rejected_reason:
        say(f"run {run.run_id} [yellow]rejected[/yellow]: {plain(run.rejected_reason)}")
        return
    incomplete = f"[red]incomplete[/red]: page {run.pages} of {run.planned_pages}"
    state = "[green]complete[/green]" if run.completed_at else incomplete
    say(f"run {run.run_id} {state}, {_seconds(run)}")
    say(run.conservation + ("" if run.conserved else "  [red]does not add up[/red]"))
    if run.missing:
        say(f"[yellow]incomplete[/yellow]: {run.missing} of {run.expected_records} announced records were on no page")


def left(run: Run) -> str:
    """The estimated time left; empty without progress."""
    return "" if run.seconds_left is None else f"about {formatting.duration(run.seconds_left)} left"


def _waiting(retry: PendingRetry) -> str:
    seconds = max(0, retry.again_at - time.time())
    attempts = f"attempt {retry.attempt} of {retry.attempts}, again in {seconds:.0f} s"
    return f"{retry.service}: {retry.error} ({attempts})"


def _seconds(run: Run) -> str:
    if run.completed_at is None:
        return "not finished"
    return f"{(run.completed_at - run.planned_at).total_seconds():.1f} s from plan to last row"
