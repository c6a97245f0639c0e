"""`smelt lineage`: from a row back to the request that brought it, and from an object to what became of it."""

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
Dataset = Annotated[str | None, typer.Option("--dataset", help="only rows of this one", autocompletion=registry.names)]


def lineage(
    key: Key,
    dataset: Dataset = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Where a row comes from, or what became of an object.

    Of a row, by its natural key (several parts with commas between): the silver and the bronze
    object that its content came from, the request and the answer; when it was seen first and last,
    and when it was rejected. A key may be known to several datasets.

    Of an object, by its key (bronze/…, silver/…, quarantine/…, plans/…, also with s3://): what the
    ledger has of each version, and whether its event is missing.

    Looking changes nothing. Exit 0 if something is known, 1 if not.

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
    with out.status("looking at the database and the bucket"):
        found = row_lineage(connections, key, datasets)
    if not found:
        message = f"{plain(key)}: no row of that key in {', '.join(datasets)}, and none was rejected"
        raise PermanentError(message)
    if as_json:
        say_json({"key": key, "rows": [asdict(one) for one in found]})
        return
    for one in found:
        cli_output.say_row(one, connections.settings.bucket)


def _show_object(connections: Connections, key: str, *, as_json: bool) -> None:
    with out.status("looking at the database, the bucket and the dead letters"):
        found = object_status(connections, key)
    if found is None:
        message = f"{plain(key)}: neither the bucket nor the ledger knows it"
        raise PermanentError(message)
    if as_json:
        say_json(asdict(found))
    else:
        cli_output.say_object(found)


def _path(key: str, bucket: str) -> str:
    """The key in `s3://bucket/key`. Raises PermanentError for another bucket."""
    if not key.startswith(SCHEME):
        return key
    named, _, path = key.removeprefix(SCHEME).partition("/")
    if named != bucket:
        message = f"{plain(key)}: our bucket is {bucket}"
        raise PermanentError(message)
    return path
