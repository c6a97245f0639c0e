"""The content of an object as a stream, whatever it is packed in."""

import gzip
import io
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.transformer.decompress import CHUNK, decompressed, verified
from shared.errors import PermanentError
from tests.support.compression import zstd

LIMIT = 10_000
PLAIN = b'{"things": [1, 2]}'
NOISE = bytes((n * n * 31) % 251 for n in range(2_000))


def zstd_frame(content: bytes) -> bytes:
    """A frame as the command line tool writes it, with a checksum."""
    return zstd.compress(content, options={zstd.CompressionParameter.checksum_flag: 1})


def expand(body: bytes, limit: int = LIMIT) -> bytes:
    """All of it at once."""
    return decompressed(io.BufferedReader(io.BytesIO(body)), limit).read()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(PLAIN, id="plain"),
        pytest.param(gzip.compress(PLAIN), id="gzip"),
        pytest.param(gzip.compress(PLAIN[:5]) + gzip.compress(PLAIN[5:]), id="gzip of two members"),
        pytest.param(zstd_frame(PLAIN), id="zstd"),
        pytest.param(zstd.compress(PLAIN), id="zstd without a checksum"),
        pytest.param(zstd_frame(PLAIN[:5]) + zstd_frame(PLAIN[5:]), id="zstd of two frames"),
    ],
)
def test_compression_is_told_by_the_first_bytes(body: bytes) -> None:
    assert expand(body) == PLAIN


@pytest.mark.parametrize("body", [b"", gzip.compress(b""), zstd.compress(b"")], ids=["plain", "gzip", "zstd"])
def test_nothing_expands_to_nothing(body: bytes) -> None:
    assert expand(body) == b""


@pytest.mark.parametrize("body", [b"\x1f", b"\x28\xb5", b"\x1e\x8b", b"x"])
def test_what_only_nearly_begins_like_a_compression_is_plain(body: bytes) -> None:
    assert expand(body) == body


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(gzip.compress(NOISE)[:-20], id="gzip cut short"),
        pytest.param(gzip.compress(PLAIN)[:-8] + bytes(8), id="gzip with a wrong checksum"),
        pytest.param(gzip.compress(PLAIN)[:12] + b"\xff" * 20, id="gzip of rubbish"),
        pytest.param(gzip.compress(PLAIN) + b"garbage", id="gzip with something behind it"),
        pytest.param(b"\x1f\x8b", id="gzip's first bytes alone"),
        pytest.param(zstd_frame(PLAIN)[:-4] + bytes(4), id="zstd with a wrong checksum"),
        pytest.param(b"\x28\xb5\x2f\xfd" + b"\xff" * 20, id="zstd of rubbish"),
        pytest.param(b"\x28\xb5\x2f\xfd", id="zstd's first bytes alone"),
        pytest.param(zstd_frame(NOISE)[:-20], id="zstd cut short"),
    ],
)
def test_damage_is_told_as_damage(body: bytes) -> None:
    with pytest.raises(PermanentError, match=r"^damaged compression: "):
        expand(body)


@pytest.mark.parametrize("pack", [gzip.compress, zstd_frame], ids=["gzip", "zstd"])
@pytest.mark.parametrize(
    "damage",
    [lambda body: body[:-20], lambda body: body + b"garbage", lambda body: body[:-4] + bytes(4)],
    ids=["cut short", "something behind it", "a wrong checksum"],
)
def test_damage_at_the_end_of_a_file_is_known_before_its_beginning_is_read(pack: Any, damage: Any) -> None:
    lines = b"".join(b"%d,line %d\n" % (n, n * n) for n in range(200_000))
    with pytest.raises(PermanentError, match=r"^damaged compression: .* \(after at least \d+ bytes\)"):
        verified(io.BufferedReader(io.BytesIO(damage(pack(lines)))), 1 << 30)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd_frame], ids=["plain", "gzip", "zstd"])
def test_what_is_whole_is_read_from_its_beginning(pack: Any) -> None:
    content = bytes(n % 251 for n in range(3_000_000))
    assert verified(io.BufferedReader(io.BytesIO(pack(content))), 1 << 30).read() == content


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd_frame], ids=["plain", "gzip", "zstd"])
def test_no_more_than_the_limit_comes_out(pack: Any) -> None:
    assert len(expand(pack(b"x" * LIMIT))) == LIMIT
    with pytest.raises(PermanentError, match="expands to more than 10000 bytes"):
        expand(pack(b" " * (LIMIT + 1)))


def test_a_bomb_is_not_expanded_beyond_the_limit_before_it_is_refused() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    stream = decompressed(io.BufferedReader(io.BytesIO(bomb)), 1 << 20)
    chunks: list[bytes] = []
    with pytest.raises(PermanentError, match="expands to more than"):
        chunks.extend(iter(lambda: stream.read(CHUNK), b""))
    assert sum(map(len, chunks)) <= 1 << 20


def test_what_fails_in_reading_is_not_taken_for_damage() -> None:
    class Broken(io.RawIOBase):
        """A connection that is lost in mid-file."""

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            if buffer[:1] == b"\x00" and not self.begun:
                self.begun = True
                begin = gzip.compress(NOISE)[:100]
                buffer[: len(begin)] = begin
                return len(begin)
            raise ConnectionResetError

        begun = False

    with pytest.raises(ConnectionResetError):
        decompressed(io.BufferedReader(Broken()), LIMIT).read()


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd"]))
def test_no_bytes_raise_anything_but_a_refusal(body: bytes, magic: bytes) -> None:
    with suppress(PermanentError):
        expand(magic + body)


@given(st.lists(st.integers(1, 3_000), max_size=8), st.sampled_from([bytes, gzip.compress, zstd_frame]))
def test_it_may_be_read_in_pieces_of_any_size(sizes: list[int], pack: Any) -> None:
    content = json.dumps(list(range(1_000))).encode()
    stream = decompressed(io.BufferedReader(io.BytesIO(pack(content))), LIMIT)
    assert b"".join([*(stream.read(size) for size in sizes), stream.read()]) == content
