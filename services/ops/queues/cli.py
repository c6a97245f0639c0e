"""`smelt queues`, `smelt workers` and `smelt top`: what waits, who works, and how fast."""

from dataclasses import asdict
from typing import Annotated

import typer

from services.ops.cli.output import out, say_json
from services.ops.connections import Connections, connect
from services.ops.queues import cli_output
from services.ops.queues import watch as live
from services.ops.queues.monitor import Sample
from services.ops.queues.retries import retry_groups
from services.ops.queues.stats import QueueSnapshot
from shared.config.topology import QUEUES

Json = Annotated[bool, typer.Option("--json", help="print JSON; null is unknown")]
Every = Annotated[float, typer.Option(min=0.5, help="seconds between two looks")]


def queues(
    watch: Annotated[bool, typer.Option("--watch", help="go on until Ctrl-C; with --json a line a look")] = False,  # noqa: FBT002
    every: Every = 2.0,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show what waits on each queue, how fast it comes and goes, and the dead letters.

    Rates are measured between looks, a second apart at first. The age of the oldest message is CloudWatch's, and
    unknown where there is none, as in the embedded stack.

    Exit 0 if every queue could be measured, else 1.

    Example: smelt queues --watch
    """
    connections = live.connected()
    if watch and as_json:
        _say_looks(connections, every)
    elif watch:
        live.need_terminal("--json")
        live.draw(connections, every, cli_output.queue_picture, full=False)
    else:
        beat = next(live.samples(connections, every))
        say_json(_described(beat)) if as_json else out.print(cli_output.queue_picture(beat))
        _exit_by(beat.look)


def workers(as_json: Json = False) -> None:  # noqa: FBT002
    """Show which worker processes live and what they do now.

    A process is forgotten 17 s after its last word.

    Exit 0 if every service has one, else 1.

    Example: smelt workers
    """
    seen = connect().roster.current()
    if as_json:
        say_json({"workers": [cli_output.worker_json(one) for one in seen]})
    else:
        out.print(cli_output.worker_table(seen))
    if {queue.service for queue in QUEUES} - {one.note.service for one in seen}:
        raise typer.Exit(1)


def top(
    once: Annotated[bool, typer.Option("--once", help="one picture, then exit")] = False,  # noqa: FBT002
    every: Every = 2.0,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show queues, why messages on them wait for another attempt, and workers, live until Ctrl-C.

    With --once, exit 1 if a queue could not be measured.

    Example: smelt top
    """
    connections = live.connected()
    if not once and not as_json:
        live.need_terminal("--once")
        live.draw(connections, every, cli_output.whole_picture, full=True)
        return
    beat = next(live.samples(connections, every))
    if as_json:
        say_json(_described(beat) | _waits(beat.look) | _workers(beat.look))
    else:
        out.print(cli_output.whole_picture(beat))
    _exit_by(beat.look)


def _say_looks(connections: Connections, every: float) -> None:
    try:
        for beat in live.samples(connections, every):
            say_json(_described(beat))
    except KeyboardInterrupt:
        return


def _described(beat: Sample) -> dict[str, object]:
    queues = [asdict(flow) for flow in beat.flows]
    return {"at": beat.at.timestamp(), "queues": queues, "problems": beat.look.problems}


def _waits(look: QueueSnapshot) -> dict[str, object]:
    return {"waits": None if look.troubles is None else [asdict(one) for one in retry_groups(look.troubles)]}


def _workers(look: QueueSnapshot) -> dict[str, object]:
    return {"workers": None if look.workers is None else [cli_output.worker_json(seen) for seen in look.workers]}


def _exit_by(look: QueueSnapshot) -> None:
    if None in {*look.work.values(), *look.dead.values()}:
        raise typer.Exit(1)
