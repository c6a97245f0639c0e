"""`smelt upload`: put files where S3's event gets them loaded."""

from pathlib import Path
from typing import Annotated

import typer

from services.ops.commands.terminal import plain, say
from services.ops.connections import connect
from shared.datasets import contract
from shared.objects import upload_key


def upload(
    file: Annotated[Path, typer.Argument(help="JSON, plain or packed with gzip or zstd", exists=True, dir_okay=False)],
    dataset: Annotated[str, typer.Argument(help="the dataset it belongs to")],
) -> None:
    """Upload a file; its event does the rest. Any S3 client can do the same.

    Example: smelt upload page.json.gz DATASET
    """
    contract.check_name(dataset)
    connections = connect()
    key = upload_key(dataset, file.name)
    connections.s3.upload_file(str(file), connections.settings.bucket, key)
    say(f"s3://{connections.settings.bucket}/{plain(key)}")
