"""What has become of an upload, in words and as JSON."""

import shlex
import time
from collections.abc import Mapping
from dataclasses import asdict

from services.ops.cli import formatting
from services.ops.cli.output import plain, say
from services.ops.uploads.outcome import OUTCOMES, UploadOutcome

# {state of an upload that is not loaded: what it means}
MEANINGS: Mapping[str, str] = {
    "superseded": "a newer object with its key has taken its place, and is loaded instead",
    "partly loaded": "not settled in time: some batches are loaded, others are under way",
    "under way": "not settled in time: its messages are under way",
    "missing": "not settled in time, and no queue has a message: `smelt reconcile --repair` sends its event again",
    "unknown": "not settled in time, and the queues do not answer",
}


def described(outcome: UploadOutcome) -> dict[str, object]:
    """As JSON."""
    letters = outcome.dead_letters
    return {
        "bucket": outcome.stored.bucket,
        "key": outcome.stored.key,
        "version": outcome.stored.version,
        "state": outcome.state,
        "ignored_by": outcome.ignored_by,
        "counts": dict(outcome.counts),
        "rejected": [asdict(group) for group in outcome.rejected],
        "dead_letters": [
            {"queue": letter.queue, "id": letter.id, "error_type": letter.error_type, "error": letter.error_message}
            for letter in letters
        ],
        "retries": [asdict(retry) for retry in outcome.retries],
    }


def say_outcome(outcome: UploadOutcome, dataset: str) -> None:
    """Print the state, the counts, why records or the file were rejected, and which commands show more."""
    key, counts = shlex.quote(outcome.stored.key), outcome.counts
    say(f"s3://{outcome.stored.bucket}/{plain(outcome.stored.key)}")
    say(_state(outcome))
    if counts["read"]:
        say(f"read {counts['read']} = " + " + ".join(f"{name} {counts[name]}" for name in OUTCOMES))
    for group in outcome.rejected:
        rule = f"{group.rule} {group.field}".strip()
        say(f"  [red]{group.records}[/red] {plain(rule)}: {plain(group.message)}")
    for letter in outcome.dead_letters:
        say(f"  [red]{plain(letter.queue)}-dlq[/red] {plain(letter.error_type)}: {plain(letter.error_message)}")
    for retry in outcome.retries:
        seconds = max(0, retry.again_at - time.time())
        say(f"  [yellow]{plain(retry.service)}[/yellow] {plain(retry.error)}, again in {seconds:.0f} s")
    if outcome.rejected:
        say(f"`smelt quarantine list --dataset {plain(dataset)}` shows rejected records")
    for letter in outcome.dead_letters:
        say(f"`smelt dlq show {plain(letter.id)}` shows the message")
    say(f"`smelt lineage {plain(key)}` shows its batches")


def _state(outcome: UploadOutcome) -> str:
    match outcome.state:
        case "loaded" if outcome.is_whole:
            return "[green]loaded[/green]"
        case "loaded":
            rejected = formatting.counted(outcome.counts["quarantined"], "rejected record")
            return f"[yellow]loaded[/yellow], except {rejected}"
        case "dead letter":
            rest = ", and loaded in part" if outcome.counts["read"] else ""
            return f"[red]dead letter[/red]: refused{rest}"
        case "ignored":
            pattern = plain(outcome.ignored_by or "")
            return f"[yellow]ignored[/yellow]: {pattern} (SMELT_IGNORED_FILES, or include and exclude of the contract)"
    return f"[yellow]{outcome.state}[/yellow]: {MEANINGS[outcome.state]}"
