"""Text as UTF-8, whatever encoding of Unicode a stream comes in, without byte order marks."""

import codecs
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Buffer

CHUNK = 1 << 16
MARKS = {  # the longer marks first: that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# {which of the first four bytes are zero: encoding}, of text without a mark that begins with two characters of ASCII
ZEROS: dict[tuple[bool, ...], str] = {
    (False, True, True, True): "utf-32-le",
    (True, True, True, False): "utf-32-be",
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
}
NO_CHARACTER = "\udcff"  # in place of bytes that are none: not valid in UTF-8, so its record is rejected

codecs.register_error("smelt.no_character", lambda error: (NO_CHARACTER, getattr(error, "end", 0)))


class _Transcoded(io.RawIOBase):
    def __init__(self, stream: "io.BufferedReader[Any]", encoding: str) -> None:
        self._stream, self._rest, self._ended = stream, b"", False
        self._decoder = codecs.getincrementaldecoder(encoding)("smelt.no_character")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer)
        while not self._rest and not self._ended:
            chunk = self._stream.read(CHUNK)
            self._ended = not chunk
            self._rest = self._decoder.decode(chunk, final=self._ended).encode(errors="surrogatepass")
        size = min(len(view), len(self._rest))
        view[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def as_utf8(stream: "io.BufferedReader[Any]") -> "io.BufferedReader[Any]":
    """The stream, transcoded where it is UTF-16 or UTF-32, after its byte order marks (some tools write two)."""
    if encoding := _encoding(stream.peek(4)[:4]):
        stream = transcoded(stream, encoding)
    while stream.peek(3).startswith(codecs.BOM_UTF8):
        stream.read(len(codecs.BOM_UTF8))
    return stream


def transcoded(stream: "io.BufferedReader[Any]", encoding: str) -> "io.BufferedReader[Any]":
    """The stream as UTF-8, of text in this encoding."""
    return io.BufferedReader(_Transcoded(stream, encoding), CHUNK)


def _encoding(head: bytes) -> str | None:
    for mark, encoding in MARKS.items():
        if head.startswith(mark):
            return encoding
    return ZEROS.get(tuple(byte == 0 for byte in head))
