"""`smelt upload`: puts files into the bucket."""

from pathlib import Path
from typing import Annotated

import typer

from services.ops.cli.options import Json
from services.ops.cli.output import plain, say, say_json
from services.ops.connections import connect
from shared.datasets import registry
from shared.storage.object_keys import upload_key

KINDS = "JSON, JSON lines, CSV, Parquet, Excel (xlsx), Avro or Arrow; plain, gzip or zstd"


def upload(
    file: Annotated[Path, typer.Argument(help=KINDS, exists=True, dir_okay=False)],
    dataset: Annotated[str, typer.Argument(help="the dataset it belongs to", autocompletion=registry.names)],
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Upload a file to be loaded. Any S3 client can do the same.

    Exit 0 once S3 has stored it; `smelt lineage KEY` shows its status.

    Example: smelt upload page.json.gz DATASET
    """
    registry.check_name(dataset)
    connections = connect()
    bucket, key = connections.settings.bucket, upload_key(dataset, file.name)
    connections.s3.upload_file(str(file), bucket, key)
    say_json({"bucket": bucket, "key": key}) if as_json else say(f"s3://{bucket}/{plain(key)}")
