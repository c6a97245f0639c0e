"""`smelt reprocess`: objects that are in the bucket already, sent on their way once more."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from services.ops import durations
from services.ops.cli import formatting, prompts
from services.ops.cli.options import DryRun, Json, Yes
from services.ops.cli.output import out, plain, say, say_json
from services.ops.cli.progress import advancing
from services.ops.connections import connect
from services.ops.operator_log import ActionResult
from services.ops.reconcile import reprocess as reprocessing
from services.ops.reconcile.reprocess import BRONZE, LAYERS, Filter, Found
from shared.config.topology import queue_for_key
from shared.datasets import registry
from shared.errors import PermanentError

Dataset = Annotated[str, typer.Option("--dataset", help="whose objects", autocompletion=registry.names)]
Since = Annotated[str | None, typer.Option("--since", help="stored in the last 30s, 15m, 2h or 1d")]
Until = Annotated[str | None, typer.Option("--until", help="stored before the last 30s, 15m, 2h or 1d")]
Key = Annotated[str, typer.Option("--key", help="what the key begins with, below the dataset's folder, or whole")]
From = Annotated[str, typer.Option("--from", help="bronze or silver: where to begin", autocompletion=lambda: [*LAYERS])]
Rate = Annotated[str | None, typer.Option("--rate", metavar="N/s", help="events a second at most")]


def reprocess(  # noqa: PLR0913, PLR0917 - the options of a command
    dataset: Dataset,
    since: Since = None,
    until: Until = None,
    key: Key = "",
    layer: From = BRONZE,
    rate: Rate = None,
    dry_run: DryRun = False,  # noqa: FBT002
    yes: Yes = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Send the events of objects that are in the bucket once more, the oldest first.

    Safe at any time, twice, and while runs go on: an older object never replaces a newer row.
    From bronze, every version of every object is read and checked again, in full:
    with the transform version that is loaded already the ledger calls it a duplicate, and nothing
    changes; with a higher one (after a fix, raise VERSION in the dataset's normaliser) rows are
    written anew, as seen when they were seen. What the ledger lacks is loaded.
    From silver, what the ledger lacks is loaded, as after going back to an older database.

    Dead letters of these objects stay; what cannot be handled dies again. Who, what and how many
    is in ops.operator_action.

    Exit 0 if all were sent (or there were none), 2 if nobody could be asked, 130 if interrupted.

    Example: smelt reprocess --dataset DATASET --since 2d --rate 20/s --dry-run
    """
    registry.check_name(dataset)
    wanted = Filter(dataset, _layer(layer), _seconds(since), _seconds(until), key)
    speed = durations.per_second(rate) if rate else None
    prompts.stop_in_order()
    connections = connect()
    with out.status("listing the bucket"):
        found = reprocessing.find(connections, wanted, datetime.now(UTC))
    if not as_json:
        _say_found(wanted, found)
    if dry_run or not found:
        if as_json:
            say_json({"dry_run": dry_run, **_counts(found), "objects": [_described(one) for one in found]})
        return
    prompts.confirm(f"Send {formatting.counted(len(found), 'event')}?", yes=yes)
    rest = "the others were not; once more is safe"
    with advancing("sent", len(found), rest, shown=not as_json) as advance:
        tally = reprocessing.send(connections, found, wanted, speed, advance)
    _say_tally(tally, found, as_json=as_json)


def _layer(layer: str) -> str:
    if layer not in LAYERS:
        message = f"--from takes {' or '.join(LAYERS)}, not {layer!r}"
        raise PermanentError(message)
    return layer


def _seconds(duration: str | None) -> float | None:
    return durations.seconds(duration) if duration else None


def _counts(found: Sequence[Found]) -> dict[str, object]:
    return {
        "found": len(found),
        "loaded_by_this_version": sum(one.loaded for one in found),
        "bytes": sum(one.stored.size for one in found),
    }


def _described(one: Found) -> dict[str, object]:
    stored = one.stored
    identity = {"key": stored.object.key, "version": stored.object.version, "sequencer": stored.object.sequencer}
    return {**identity, "stored_at": stored.stored_at, "bytes": stored.size, "loaded_by_this_version": one.loaded}


def _say_found(wanted: Filter, found: Sequence[Found]) -> None:
    say(f"{formatting.counted(len(found), 'object')} below {plain(', '.join(wanted.paths))}")
    if not found:
        return
    first, last = found[0].stored.stored_at, found[-1].stored.stored_at
    say(f"stored from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC")
    by = f"by transform version {registry.dataset(wanted.dataset).version}"
    loaded = sum(one.loaded for one in found)
    say(f"loaded already{f' {by}' if wanted.layer == BRONZE else ''}, nothing changes: {loaded:,}")
    say(f"to be loaded: {len(found) - loaded:,}")
    queues = sorted({queue_for_key(one.stored.object.key).name for one in found})
    say(f"events go to [bold]{', '.join(queues)}[/bold]")


def _say_tally(tally: ActionResult, found: Sequence[Found], *, as_json: bool) -> None:
    if as_json:
        say_json({"dry_run": False, **_counts(found), "sent": tally.done, "replay": tally.identity})
    else:
        say(f"sent: {tally.done:,} of {len(found):,} (ops.operator_action {tally.identity})")
