"""Makes a local file or an object in S3 available as a path."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from shared.errors import PermanentError

SCHEME = "s3://"


@contextmanager
def local(source: str) -> Iterator[Path]:
    """The path of a file, or of a copy of `s3://bucket/key` that is deleted afterwards."""
    if not source.startswith(SCHEME):
        path = Path(source)
        if not path.is_file():
            message = f"no file {source}"
            raise PermanentError(message)
        yield path
        return
    import boto3

    bucket, _, key = source.removeprefix(SCHEME).partition("/")
    with tempfile.TemporaryDirectory(prefix="smelt-") as folder:
        copy = Path(folder) / PurePosixPath(key).name
        boto3.client("s3").download_file(bucket, key, str(copy))
        yield copy
