"""`smelt queues`, `smelt workers` and `smelt top`."""

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
Every = Annotated[float, typer.Option(min=0.5, help="seconds between samples")]


def queues(
    watch: Annotated[bool, typer.Option("--watch", help="repeat until Ctrl-C; with --json a line a time")] = False,  # noqa: FBT002
    every: Every = 2.0,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show the messages on each queue, rates, and dead letters.

    Rates are measured between samples, at first a second apart. The age of the oldest message comes from CloudWatch and
    is unknown in the embedded stack.

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
        sample = next(live.samples(connections, every))
        say_json(_sample_json(sample)) if as_json else out.print(cli_output.queue_picture(sample))
        _exit_by(sample.snapshot)


def workers(as_json: Json = False) -> None:  # noqa: FBT002
    """Show running worker processes and their current messages.

    A process disappears 17 s after its last report.

    Exit 0 if every service has one, else 1.

    Example: smelt workers
    """
    statuses = connect().roster.current()
    if as_json:
        say_json({"workers": [cli_output.worker_json(status) for status in statuses]})
    else:
        out.print(cli_output.worker_table(statuses))
    if {queue.service for queue in QUEUES} - {status.note.service for status in statuses}:
        raise typer.Exit(1)


def top(
    once: Annotated[bool, typer.Option("--once", help="print once and exit")] = False,  # noqa: FBT002
    every: Every = 2.0,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show queues, pending retries and workers, live until Ctrl-C.

    With --once, exit 1 if a queue could not be measured.

    Example: smelt top
    """
    connections = live.connected()
    if not once and not as_json:
        live.need_terminal("--once")
        live.draw(connections, every, cli_output.whole_picture, full=True)
        return
    sample = next(live.samples(connections, every))
    if as_json:
        say_json(_sample_json(sample) | _waits(sample.snapshot) | _workers(sample.snapshot))
    else:
        out.print(cli_output.whole_picture(sample))
    _exit_by(sample.snapshot)


def _say_looks(connections: Connections, every: float) -> None:
    try:
        for sample in live.samples(connections, every):
            say_json(_sample_json(sample))
    except KeyboardInterrupt:
        return


def _sample_json(sample: Sample) -> dict[str, object]:
    queues = [asdict(status) for status in sample.statuses]
    return {"at": sample.at.timestamp(), "queues": queues, "problems": sample.snapshot.problems}


def _waits(snapshot: QueueSnapshot) -> dict[str, object]:
    return {"waits": None if snapshot.retries is None else [asdict(group) for group in retry_groups(snapshot.retries)]}


def _workers(snapshot: QueueSnapshot) -> dict[str, object]:
    return {
        "workers": None if snapshot.workers is None else [cli_output.worker_json(status) for status in snapshot.workers]
    }


def _exit_by(snapshot: QueueSnapshot) -> None:
    if None in {*snapshot.work.values(), *snapshot.dead.values()}:
        raise typer.Exit(1)
