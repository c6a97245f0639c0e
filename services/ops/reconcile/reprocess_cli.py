"""`smelt reprocess`: sends objects in the bucket through the pipeline again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

import typer

from services.ops import durations
from services.ops.cli import formatting, prompts
from services.ops.cli.options import DryRun, Json, Yes
from services.ops.cli.output import out, plain, say, say_json
from services.ops.cli.progress import advancing
from services.ops.connections import connect
from services.ops.operator_log import ActionResult
from services.ops.reconcile import intake
from services.ops.reconcile import reprocess as reprocessing
from services.ops.reconcile.reprocess import BRONZE, LAYERS, ObjectFilter, SelectedObject
from shared.config.topology import queue_for_key
from shared.datasets import registry
from shared.errors import PermanentError

Dataset = Annotated[str, typer.Option("--dataset", help="the dataset", autocompletion=registry.names)]
Since = Annotated[str | None, typer.Option("--since", help="stored in the last 30s, 15m, 2h or 1d")]
Until = Annotated[str | None, typer.Option("--until", help="stored before the last 30s, 15m, 2h or 1d")]
Key = Annotated[str, typer.Option("--key", help="key prefix below the dataset's folder, or a complete key")]
From = Annotated[
    str,
    typer.Option("--from", help="bronze, silver, or s3://bucket/prefix to take in", autocompletion=lambda: [*LAYERS]),
]
Rate = Annotated[str | None, typer.Option("--rate", metavar="N/s", help="maximum events per second")]


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
    """Send the events of objects in the bucket again, oldest first.

    Idempotent, and safe during runs: an older object never replaces a newer row. From bronze, every version of every
    object is transformed in full. With the transform version already loaded it is a duplicate without effect; with a
    higher one (after a fix, raise the version of the contract) rows are written again with their original
    observation time. Missing objects are loaded. From silver, missing objects are loaded, for example after restoring
    an older database.

    From s3://bucket/prefix, objects are copied to the dataset's uploads, oldest first, and loaded as observed when they
    were stored there. What was copied is not copied again, so an interrupted command may be repeated.

    Dead letters of these objects remain; what fails again becomes a new one. The action is recorded in
    ops.operator_action.

    Exit 0 if all were sent (or there were none), 2 without confirmation, 130 if interrupted.

    Example: smelt reprocess --dataset DATASET --since 2d --rate 20/s --dry-run
    """
    registry.check_name(dataset)
    if layer.startswith(intake.SCHEME):
        if since or until or key:
            message = "--since, --until and --key are for this deployment's bucket: a prefix is part of --from s3://…"
            raise PermanentError(message)
        _take_in(dataset, layer, rate, _Answers(dry_run, yes, as_json))
        return
    wanted = ObjectFilter(dataset, _layer(layer), _seconds(since), _seconds(until), key)
    speed = durations.per_second(rate) if rate else None
    prompts.stop_in_order()
    connections = connect()
    with out.status("listing the bucket"):
        selected = reprocessing.find(connections, wanted, datetime.now(UTC))
    if not as_json:
        _say_selection(wanted, selected)
    if dry_run or not selected:
        if as_json:
            say_json({"dry_run": dry_run, **_counts(selected), "objects": [_object_json(item) for item in selected]})
        return
    prompts.confirm(f"Send {formatting.counted(len(selected), 'event')}?", yes=yes)
    rest = "the others were not sent; sending again is safe"
    with advancing("sent", len(selected), rest, shown=not as_json) as advance:
        result = reprocessing.send(connections, selected, wanted, speed, advance)
    _say_result(result, selected, as_json=as_json)


class _Answers(NamedTuple):
    dry_run: bool
    yes: bool
    as_json: bool


def _take_in(dataset: str, source: str, rate: str | None, answers: _Answers) -> None:
    prompts.stop_in_order()
    connections = connect()
    with out.status("listing the bucket"):
        found = intake.find(connections, dataset, source)
    new = [item for item in found if not item.taken]
    counts = {"found": len(found), "copied_before": len(found) - len(new), "bytes": sum(item.size for item in new)}
    if not answers.as_json:
        say(f"{formatting.counted(len(found), 'object')} below {plain(source)}")
        say(f"copied before: {counts['copied_before']:,}; to be copied: {len(new):,}, {counts['bytes']:,} bytes")
    copied, speed = 0, durations.per_second(rate) if rate else None
    described = {"dataset": dataset, "from": source, **({"rate": speed} if speed else {})}
    if new and not answers.dry_run:
        prompts.confirm(f"Copy {formatting.counted(len(new), 'object')} to uploads/{dataset}/?", yes=answers.yes)
        rest = "the others were not copied; repeat the command"
        with advancing("copied", len(new), rest, shown=not answers.as_json) as advance:
            copied = intake.take_in(connections, described, found, speed, advance).done
    if answers.as_json:
        say_json({"dry_run": answers.dry_run, **counts, "copied": copied})


def _layer(layer: str) -> str:
    if layer not in LAYERS:
        message = f"--from takes {' or '.join(LAYERS)}, not {layer!r}"
        raise PermanentError(message)
    return layer


def _seconds(duration: str | None) -> float | None:
    return durations.seconds(duration) if duration else None


def _counts(selected: Sequence[SelectedObject]) -> dict[str, object]:
    return {
        "found": len(selected),
        "loaded_by_this_version": sum(item.loaded for item in selected),
        "bytes": sum(item.stored.size for item in selected),
    }


def _object_json(item: SelectedObject) -> dict[str, object]:
    stored = item.stored
    identity = {"key": stored.object.key, "version": stored.object.version, "sequencer": stored.object.sequencer}
    return {**identity, "stored_at": stored.stored_at, "bytes": stored.size, "loaded_by_this_version": item.loaded}


def _say_selection(wanted: ObjectFilter, selected: Sequence[SelectedObject]) -> None:
    say(f"{formatting.counted(len(selected), 'object')} below {plain(', '.join(wanted.paths))}")
    if not selected:
        return
    first, last = selected[0].stored.stored_at, selected[-1].stored.stored_at
    say(f"stored from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC")
    by = f"by transform version {registry.dataset(wanted.dataset).version}"
    loaded = sum(item.loaded for item in selected)
    say(f"loaded already{f' {by}' if wanted.layer == BRONZE else ''}, nothing changes: {loaded:,}")
    say(f"to be loaded: {len(selected) - loaded:,}")
    queues = sorted({queue_for_key(item.stored.object.key).name for item in selected})
    say(f"events go to [bold]{', '.join(queues)}[/bold]")


def _say_result(result: ActionResult, selected: Sequence[SelectedObject], *, as_json: bool) -> None:
    if as_json:
        say_json({"dry_run": False, **_counts(selected), "sent": result.done, "replay": result.identity})
    else:
        say(f"sent: {result.done:,} of {len(selected):,} (ops.operator_action {result.identity})")
