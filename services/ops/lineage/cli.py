"""`smelt lineage`: the source of a row, and the status of an object."""

from dataclasses import asdict
from typing import Annotated

import typer

from services.ops.cli.options import Json
from services.ops.cli.output import out, plain, say_json
from services.ops.connections import Connections, connect
from services.ops.lineage import cli_output
from services.ops.lineage.objects import object_status
from services.ops.lineage.rows import row_lineage
from shared.config.topology import NOTIFICATIONS
from shared.datasets import registry
from shared.errors import PermanentError

SCHEME = "s3://"
Key = Annotated[str, typer.Argument(metavar="KEY", help="a row's natural key, or an object's key")]
Dataset = Annotated[
    str | None, typer.Option("--dataset", help="only rows of this dataset", autocompletion=registry.names)
]


def lineage(
    key: Key,
    dataset: Dataset = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show where a row comes from, or the status of an object.

    For a row, by its natural key (parts of a composite key separated by commas): the silver and bronze object with its
    content, the request and the response; when it was first and last observed, and when it was rejected. Several
    datasets may have the key.

    For an object, by its key (bronze/…, silver/…, quarantine/…, plans/…, also with s3://): the ledger rows of each
    version, and whether its event is missing.

    Read-only. Exit 0 if the key is known, 1 if not.

    Example: smelt lineage KEY
    """
    if dataset:
        registry.check_name(dataset)
    connections = connect()
    if key.startswith((SCHEME, *NOTIFICATIONS)):
        _show_object(connections, _path(key, connections.settings.bucket), as_json=as_json)
    else:
        _show_rows(connections, key, [dataset] if dataset else registry.names(), as_json=as_json)


def _show_rows(connections: Connections, key: str, datasets: list[str] | tuple[str, ...], *, as_json: bool) -> None:
    with out.status("querying the database and the bucket"):
        rows = row_lineage(connections, key, datasets)
    if not rows:
        message = f"{plain(key)}: no row with this key in {', '.join(datasets)}, and no rejected record"
        raise PermanentError(message)
    if as_json:
        say_json({"key": key, "rows": [asdict(row) for row in rows]})
        return
    for row in rows:
        cli_output.say_row(row, connections.settings.bucket)


def _show_object(connections: Connections, key: str, *, as_json: bool) -> None:
    with out.status("querying the database, the bucket and the dead letters"):
        status = object_status(connections, key)
    if status is None:
        message = f"{plain(key)}: in neither the bucket nor the ledger"
        raise PermanentError(message)
    if as_json:
        say_json(asdict(status))
    else:
        cli_output.say_object(status)


def _path(key: str, bucket: str) -> str:
    """The key in `s3://bucket/key`. Raises PermanentError for another bucket."""
    if not key.startswith(SCHEME):
        return key
    named, _, path = key.removeprefix(SCHEME).partition("/")
    if named != bucket:
        message = f"{plain(key)}: not in the configured bucket {bucket}"
        raise PermanentError(message)
    return path
