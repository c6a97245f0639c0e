"""Decompression of an object as a stream, limited in size."""

import gzip
import io
import shutil
import sys
import tempfile
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from isal import igzip, isal_zlib

from shared.errors import PermanentError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from typing_extensions import Buffer

CHUNK = 1 << 18  # bytes read at a time
IN_MEMORY = 1 << 24  # bytes of a compressed file
# {first bytes: decompressor}; names are not considered.
COMPRESSIONS: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda stream: igzip.IGzipFile(fileobj=stream, mode="rb"),  # type: ignore[no-untyped-call]
    b"\x28\xb5\x2f\xfd": zstd.ZstdFile,
}


class _Expanded(io.RawIOBase):
    """Counts the bytes read and raises PermanentError for damage and beyond the limit."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream, self._limit, self._read = stream, limit, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer)
        try:
            chunk = self._stream.read(len(view))
        except (gzip.BadGzipFile, EOFError, isal_zlib.error, zstd.ZstdError) as error:  # type: ignore[misc]  # its stub has no type
            message = f"damaged compression: {error} (after at least {self._read} bytes)"
            raise PermanentError(message) from error
        self._read += len(chunk)
        if self._read > self._limit:
            message = f"expands to more than {self._limit} bytes"
            raise PermanentError(message)
        view[: len(chunk)] = chunk
        return len(chunk)


def verified(stream: "io.BufferedReader[Any]", limit: int) -> "io.BufferedReader[Any]":
    """Like `decompressed`, but reads compressed content to its end first.

    Raises PermanentError at once for damage anywhere, so that nothing of a damaged file is loaded.
    """
    if not stream.peek(4).startswith(tuple(COMPRESSIONS)):
        return decompressed(stream, limit)
    copy = io.BufferedReader(_spooled(stream))
    content = decompressed(copy, limit)
    while content.read(CHUNK):
        pass
    copy.seek(0)
    return decompressed(copy, limit)


def _spooled(stream: "io.BufferedReader[Any]") -> Any:
    """A rewindable copy, in memory or, if large, in a temporary file that is deleted when closed."""
    copy = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, prefix="smelt-")  # noqa: SIM115 - its reader closes it
    shutil.copyfileobj(stream, copy, CHUNK)
    copy.seek(0)
    return copy


def decompressed(stream: "io.BufferedReader[Any]", limit: int) -> "io.BufferedReader[Any]":
    """The content of plain, gzip or zstd bytes. Reading raises PermanentError for damage and beyond `limit` bytes."""
    head = stream.peek(4)
    for magic, opened in COMPRESSIONS.items():
        if head.startswith(magic):
            return io.BufferedReader(_Expanded(opened(stream), limit), CHUNK)
    return io.BufferedReader(_Expanded(stream, limit), CHUNK)
