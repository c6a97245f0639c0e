"""A stream of which some has been read, as if it had not."""

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Buffer

CHUNK = 1 << 18  # bytes read at a time


class _Prefixed(io.RawIOBase):
    def __init__(self, begin: bytes, stream: "io.BufferedReader[Any]") -> None:
        self._begin, self._stream = io.BytesIO(begin), stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        return self._begin.readinto(buffer) or self._stream.readinto(buffer)


def prefixed(begin: bytes, stream: "io.BufferedReader[Any]") -> "io.BufferedReader[Any]":
    """The stream with these bytes before it."""
    return io.BufferedReader(_Prefixed(begin, stream), CHUNK)
