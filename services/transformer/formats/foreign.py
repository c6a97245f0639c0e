"""Formats that smelt does not read, known by their first bytes, so that a refusal can name them."""

import re

from shared.errors import PermanentError

READ = "smelt reads CSV, JSON, JSON lines, Parquet, Excel (xlsx), Avro and Arrow, plain, in gzip or in zstd"
LOOKED_AT = 4_096  # bytes

# {what it is: how it begins}; the first that matches counts.
FORMATS: dict[str, re.Pattern[bytes]] = {
    what: re.compile(pattern, re.DOTALL)
    for what, pattern in {
        "an empty or divided zip file": rb"PK(\x05\x06|\x07\x08)",
        "an old or encrypted Excel workbook": rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "a gzip file in a compressed file": rb"\x1f\x8b\x08",
        "a zstd file in a compressed file": rb"\x28\xb5\x2f\xfd",
        "a bzip2 file": rb"BZh[1-9](1AY&SY|\x17\x72\x45\x38\x50\x90)",
        "an xz file": rb"\xfd7zXZ\x00",
        "a 7z file": rb"7z\xbc\xaf\x27\x1c",
        "an LZ4 file": rb"\x04\x22\x4d\x18",
        "a Snappy file": rb"\xff\x06\x00\x00sNaPpY",
        "a rar file": rb"Rar!\x1a\x07",
        "a zlib stream": rb"x[\x01\x9c\xda]",
        "an encrypted Parquet file": rb"PARE[^A-Za-z]",
        "an ORC file": rb"ORC[^ -~]",
        "a Feather file of version 1": rb"FEA1",
        "an SQLite database": rb"SQLite format 3\x00",
        "a PDF": rb"%PDF-",
        "a tar file": rb".{257}ustar",
    }.items()
}


def refuse_foreign(head: bytes) -> None:
    """Raises PermanentError that names the format."""
    for what, pattern in FORMATS.items():
        if pattern.match(head[:LOOKED_AT]):
            message = f"this is {what}; {READ}"
            raise PermanentError(message)
