"""`smelt run`: start an extraction, and wait for it where asked."""

from dataclasses import asdict
from typing import Annotated

import typer

from services.ops import runs
from services.ops.commands.terminal import say, say_json, say_outcome, watch_run
from services.ops.connections import connect
from shared.errors import PermanentError


def run(
    dataset: Annotated[str, typer.Argument(help="the dataset to extract")],
    param: Annotated[list[str] | None, typer.Option(help="name=value for the source; may be repeated")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="until every page is loaded; exit 0 only then")] = False,  # noqa: FBT002
    timeout: Annotated[float, typer.Option(help="seconds to wait at most")] = 900,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,  # noqa: FBT002
) -> None:
    """Start a run: put one command on the extract queue.

    Example: smelt run DATASET --param keyword="data engineering" --wait
    """
    connections = connect()
    run_id = runs.start(connections, dataset, _parsed(param or []))
    if not wait:
        say_json({"run_id": run_id}) if as_json else say(f"run {run_id} is on the queue")
        return
    looks = runs.follow(connections, run_id, timeout)
    if as_json:
        *_, look = looks
        say_json({"run_id": run_id, **_described(look)})
    else:
        look = watch_run(looks)
        say_outcome(look)
    if not (look.run and look.run.done):
        raise typer.Exit(1)


def _parsed(pairs: list[str]) -> dict[str, str]:
    """`name=value` pairs. Raises PermanentError for what is not one."""
    if wrong := [pair for pair in pairs if "=" not in pair or pair.startswith("=")]:
        message = f"--param takes name=value, not {wrong[0]!r}"
        raise PermanentError(message)
    return dict(pair.split("=", 1) for pair in pairs)


def _described(look: runs.Progress) -> dict[str, object]:
    run = look.run
    return {
        "complete": bool(run and run.completed_at),
        "conserved": bool(run and run.conserved),
        "missing": run.missing if run else None,
        "run": asdict(run) if run else None,
        "dead_letters": [asdict(letter) for letter in look.dead_letters],
        "troubles": [asdict(trouble) for trouble in look.troubles],
    }
