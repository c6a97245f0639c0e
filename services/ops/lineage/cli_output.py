"""Output of lineage as text."""

from datetime import datetime
from urllib.parse import urlencode

from services.ops.cli import formatting
from services.ops.cli.output import plain, say
from services.ops.lineage.objects import ObjectStatus, ObjectVersionStatus
from services.ops.lineage.rows import Entry, RowLineage
from services.ops.lineage.source_object import ObjectHead, SourceObject

STATES = {
    "loaded": "[green]loaded[/green]",
    "partly loaded": "[yellow]partly loaded[/yellow]: the rest is in progress, or see `smelt reconcile`",
    "dead letter": "[red]dead letter[/red]",
    "under way": "[yellow]not loaded[/yellow]: possibly in progress, queues are not empty",
    "missing": "[red]its event is missing[/red]: `smelt reconcile --repair` sends it again",
    "unknown": "[yellow]not loaded[/yellow]: unknown whether it is in progress",
}
SHOWN = 10  # ledger rows
SHORT = 16  # characters of a checksum; JSON output has all


def say_row(row_lineage: RowLineage, bucket: str) -> None:
    """Print a row's lineage, from the database to the source."""
    say(f"[bold]{plain(row_lineage.dataset)} {plain(row_lineage.natural_key.replace(chr(9), ','))}[/bold]")
    _say(
        "row",
        f"{row_lineage.table}, from object {row_lineage.entry['id']}" if row_lineage.entry else _absent(row_lineage),
    )
    if row_lineage.last_seen:
        _say_seen(row_lineage.last_seen, row_lineage.last_seen_entry, row_lineage.entry)
    if row_lineage.entry:
        _say_entry(row_lineage.entry)
        _say("silver", f"s3://{bucket}/{plain(row_lineage.entry['silver_key'])}")
        _say("", _stored(row_lineage.silver) + (f", by {plain(row_lineage.made_by)}" if row_lineage.made_by else ""))
        _say("bronze", f"s3://{bucket}/{plain(row_lineage.entry['key'])}")
        _say("", f"version {plain(row_lineage.entry['version'])}")
    if row_lineage.bronze:
        _say_source(row_lineage.bronze)
    for row in row_lineage.quarantine:
        closed = f"{row['closed_as']} {_moment(row['closed_at'])}" if row["closed_at"] else "open"
        why = f"{plain(row['rule'])} ({plain(row['field'])}): {plain(row['message'])}"
        _say("rejected", f"entry {row['id']}, seen {_moment(row['observed_at'])}, {closed}")
        _say("", why)
    say()


def say_object(status: ObjectStatus) -> None:
    """Print an object's status by version."""
    say(f"[bold]{plain(status.key)}[/bold]")
    for version in status.versions:
        _say_version(version)
    if status.bronze_key:
        _say("derived", plain(status.bronze_key))
    if status.rejected:
        _say("rejected", f"{formatting.counted(status.rejected, 'record')}: `smelt quarantine list`")


def _say_version(version: ObjectVersionStatus) -> None:
    about = plain(version.version) or "unknown"
    there = (
        f"stored {_moment(version.stored_at)}, {version.bytes:,} bytes"
        if version.stored_at
        else "no longer in the bucket"
    )
    _say("version", f"{about}: {there}")
    letters = ", ".join(version.dead_letters)
    _say("", STATES[version.state] + (f": `smelt dlq show {letters}`" if version.state == "dead letter" else ""))
    for entry in version.entries[:SHOWN]:
        if "silver_key" in entry:
            _say_entry(entry)
            _say("", plain(entry["silver_key"]))
        else:
            _say("run", f"{entry['run_id']}: `smelt runs show {entry['run_id']}`")
    if (more := len(version.entries) - SHOWN) > 0:
        _say("", f"and {formatting.counted(more, 'batch')} more")


def _say_seen(last_seen: Entry, last: Entry | None, first: Entry | None) -> None:
    """The object of the last observation differs from that of the content if the record was unchanged."""
    _say("first seen", _moment(last_seen["first_seen_at"]))
    _say("last seen", _moment(last_seen["observed_at"]) + (f", in object {last['id']}" if last else ""))
    if last and not (first and first["id"] == last["id"]):
        _say("", plain(last["key"]))
    if gone := last_seen.get("inactive_since"):
        _say("inactive", f"since {_moment(gone)}")


def _say_entry(entry: Entry) -> None:
    counts = " + ".join(
        f"{name} {entry[name]}" for name in ("inserted", "updated", "unchanged", "stale", "quarantined")
    )
    batch = f", batch {entry['batch']}" if entry["batch"] > 1 or not entry["is_last_batch"] else ""
    _say(
        "object",
        f"{entry['id']}, loaded {_moment(entry['loaded_at'])}, transform version {entry['transform_version']}{batch}",
    )
    _say("", f"read {entry['read']} = {counts}")
    if entry["run_id"]:
        _say("run", f"{entry['run_id']}, part {entry['part']}, page {entry['page']}")


def _say_source(bronze: SourceObject) -> None:
    _say("", _stored(bronze.head))
    if bronze.kind == "upload":
        _say("request", "none: an upload")
    if bronze.replayed is not None:
        _say("replayed", f"out of quarantine, seen in {plain(str(bronze.replayed.get('key', 'unknown')))}")
    if bronze.request is not None:
        params = bronze.request.get("params")
        query = f"?{urlencode(params)}" if isinstance(params, dict) and params else ""
        _say("request", plain(f"{bronze.request.get('url', 'unknown')}{query}"))
    if bronze.response is not None:
        response = bronze.response
        _say("response", plain(f"{response['status']}, date {response['date']}, received {response['received_at']}"))
    if bronze.head:
        _say("trace", plain(bronze.head.trace_id or "none"))


def _absent(row_lineage: RowLineage) -> str:
    return (
        "[yellow]observed, but not in the table[/yellow]"
        if row_lineage.last_seen
        else "[yellow]none: only rejected[/yellow]"
    )


def _stored(head: ObjectHead | None) -> str:
    if head is None:
        return "[yellow]no longer in the bucket[/yellow]"
    checksum = f", sha256 {plain(head.sha256[:SHORT])}…" if head.sha256 else ""
    return f"stored {_moment(head.stored_at)}, {head.bytes:,} bytes{checksum}"


def _moment(moment: datetime | None) -> str:
    return "unknown" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _say(name: str, value: str) -> None:
    say(f"  [dim]{name:<11}[/dim] {value}".rstrip())
