"""`smelt upload`: puts files into the bucket."""

from pathlib import Path
from typing import Annotated

import typer

from services.ops.cli import prompts
from services.ops.cli.options import Json
from services.ops.cli.output import out, plain, say, say_json
from services.ops.connections import Connections, connect
from services.ops.uploads import cli_output, outcome
from services.ops.uploads.outcome import UploadOutcome
from shared.datasets import registry
from shared.storage import objects
from shared.storage.object_id import ObjectId
from shared.storage.object_keys import upload_key

KINDS = "JSON, JSON lines, CSV, Parquet, Excel (xlsx), Avro or Arrow; plain, gzip or zstd"


def upload(
    file: Annotated[Path, typer.Argument(help=KINDS, exists=True, dir_okay=False)],
    dataset: Annotated[str, typer.Argument(help="the dataset it belongs to", autocompletion=registry.names)],
    wait: Annotated[bool, typer.Option("--wait", help="wait, and say what became of each record")] = False,  # noqa: FBT002
    timeout: Annotated[float, typer.Option(help="maximum seconds to wait")] = 900,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Upload a file to be loaded. Any S3 client can do the same.

    Exit 0 once S3 has stored it; `smelt lineage KEY` shows its status. With --wait, exit 0 if every record is loaded,
    1 if the file or some of its records are rejected, or not loaded in time; 130 after Ctrl-C, which ends the waiting.

    Example: smelt upload page.json.gz DATASET --wait
    """
    registry.check_name(dataset)
    connections = connect()
    bucket, key = connections.settings.bucket, upload_key(dataset, file.name)
    connections.s3.upload_file(str(file), bucket, key)
    if not wait:
        say_json({"bucket": bucket, "key": key}) if as_json else say(f"s3://{bucket}/{plain(key)}")
        return
    stored = objects.newest(connections.s3, bucket, key) or ObjectId(bucket, key)
    last = _awaited(connections, stored, timeout)
    say_json(cli_output.described(last)) if as_json else cli_output.say_outcome(last, dataset)
    if not last.is_whole:
        raise typer.Exit(1)


def _awaited(connections: Connections, stored: ObjectId, timeout: float) -> UploadOutcome:
    """The last outcome. Exits with 130 after Ctrl-C."""
    try:
        with out.status(f"{plain(stored.key)} is stored; waiting until it is loaded"):
            *_, last = outcome.follow(connections, stored, timeout)
    except KeyboardInterrupt:
        typer.echo(
            f"smelt: interrupted; the file is stored and is loaded all the same: smelt lineage {stored.key!r}", err=True
        )
        raise typer.Exit(prompts.INTERRUPTED) from None
    return last
