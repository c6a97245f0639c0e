"""Where a row comes from and what became of an object, as a person reads it."""

from datetime import datetime
from urllib.parse import urlencode

from services.ops.cli import formatting
from services.ops.cli.output import plain, say
from services.ops.lineage.objects import ObjectStatus, ObjectVersionStatus
from services.ops.lineage.rows import Entry, RowLineage
from services.ops.lineage.source_object import ObjectHead, SourceObject

STATES = {
    "loaded": "[green]loaded[/green]",
    "partly loaded": "[yellow]partly loaded[/yellow]: the others are under way, or `smelt reconcile --repair`",
    "dead letter": "[red]dead letter[/red]",
    "under way": "[yellow]not loaded[/yellow]: perhaps under way, queues are not empty",
    "missing": "[red]its event is missing[/red]: `smelt reconcile --repair` sends it again",
    "unknown": "[yellow]not loaded[/yellow]: whether it is under way is unknown",
}
SHOWN = 10  # entries of the ledger
SHORT = 16  # characters of a checksum; the rest is in the JSON


def say_row(found: RowLineage, bucket: str) -> None:
    """A row, from the database back to the source."""
    say(f"[bold]{plain(found.dataset)} {plain(found.natural_key.replace(chr(9), ','))}[/bold]")
    _say("row", f"{found.table}, from object {found.entry['id']}" if found.entry else _absent(found))
    if found.seen:
        _say_seen(found.seen, found.seen_entry, found.entry)
    if found.entry:
        _say_entry(found.entry)
        _say("silver", f"s3://{bucket}/{plain(found.entry['silver_key'])}")
        _say("", _stored(found.silver) + (f", by {plain(found.made_by)}" if found.made_by else ""))
        _say("bronze", f"s3://{bucket}/{plain(found.entry['key'])}")
        _say("", f"version {plain(found.entry['version'])}")
    if found.bronze:
        _say_capture(found.bronze)
    for row in found.quarantine:
        closed = f"{row['closed_as']} {_moment(row['closed_at'])}" if row["closed_at"] else "open"
        why = f"{plain(row['rule'])} ({plain(row['field'])}): {plain(row['message'])}"
        _say("rejected", f"entry {row['id']}, seen {_moment(row['observed_at'])}, {closed}")
        _say("", why)
    say()


def say_object(found: ObjectStatus) -> None:
    """An object, version by version."""
    say(f"[bold]{plain(found.key)}[/bold]")
    for version in found.versions:
        _say_version(version)
    if found.bronze_key:
        _say("made of", plain(found.bronze_key))
    if found.rejected:
        _say("rejected", f"{formatting.counted(found.rejected, 'record')}: `smelt quarantine list`")


def _say_version(version: ObjectVersionStatus) -> None:
    about = plain(version.version) or "unknown"
    there = f"stored {_moment(version.stored_at)}, {version.bytes:,} bytes" if version.stored_at else "gone by now"
    _say("version", f"{about}: {there}")
    letters = ", ".join(identity[:8] for identity in version.dead_letters)
    _say("", STATES[version.state] + (f": `smelt dlq show {letters}`" if version.state == "dead letter" else ""))
    for entry in version.entries[:SHOWN]:
        if "silver_key" in entry:
            _say_entry(entry)
            _say("", plain(entry["silver_key"]))
        else:
            _say("run", f"{entry['run_id']}: `smelt runs show {entry['run_id']}`")
    if (more := len(version.entries) - SHOWN) > 0:
        _say("", f"and {formatting.counted(more, 'batch')} more")


def _say_seen(seen: Entry, last: Entry | None, first: Entry | None) -> None:
    """An unchanged record touches no row: the object that was seen last may be another one."""
    _say("first seen", _moment(seen["first_seen_at"]))
    _say("last seen", _moment(seen["observed_at"]) + (f", in object {last['id']}" if last else ""))
    if last and not (first and first["id"] == last["id"]):
        _say("", plain(last["key"]))
    if gone := seen.get("inactive_since"):
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


def _say_capture(bronze: SourceObject) -> None:
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
        told = bronze.response
        _say("answer", plain(f"{told['status']}, date {told['date']}, received {told['received_at']}"))
    if bronze.head:
        _say("trace", plain(bronze.head.trace_id or "none"))


def _absent(found: RowLineage) -> str:
    return "[yellow]seen, but not in the table[/yellow]" if found.seen else "[yellow]none: only rejected[/yellow]"


def _stored(head: ObjectHead | None) -> str:
    if head is None:
        return "[yellow]gone from the bucket[/yellow]"
    checksum = f", sha256 {plain(head.sha256[:SHORT])}…" if head.sha256 else ""
    return f"stored {_moment(head.stored_at)}, {head.bytes:,} bytes{checksum}"


def _moment(moment: datetime | None) -> str:
    return "unknown" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _say(name: str, value: str) -> None:
    say(f"  [dim]{name:<11}[/dim] {value}".rstrip())
