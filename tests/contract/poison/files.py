"""Whole files: what is not JSON, not complete, too large, or packed in a strange way."""

import gzip
import io
import zipfile
from collections.abc import Callable
from typing import Any

from tests.contract.poison.case import (
    GOOD,
    NEIGHBOURS,
    POISON,
    UPLOADS,
    Case,
    Ignored,
    Lands,
    Quarantined,
    good,
    posting,
    refused,
    response,
    written,
)
from tests.support.compression import zstd

MIB = 1 << 20
NOT_JSON = "^not a JSON document with a list of records"
NO_FORMAT = "^neither JSON nor Parquet, and as CSV it lacks the columns MatchedObjectId"
EMPTY = "the object is empty"
DAMAGED = "^damaged compression: "
TOO_LARGE = "expands to more than"
TOO_LARGE_A_DOCUMENT = "a JSON document of more than"
OTHER = r"a list of records at SearchResult\.SearchResultItems"


def _always(content: bytes) -> Callable[[int], bytes]:
    return lambda _: content


def _none(more: bytes) -> bytes:
    return b'{"SearchResult": {"SearchResultCount": 0, %s}}' % more


def _zeros(open_stream: Callable[..., Any], mib: int) -> bytes:
    buffer = io.BytesIO()
    with open_stream(buffer, "wb") as stream:
        for _ in range(mib):
            stream.write(bytes(MIB))
    return buffer.getvalue()


def _zip(first: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("page.json", good(first))
    return buffer.getvalue()


NOT_JSON_AT_ALL = (
    refused("a JSON file cut in half", NOT_JSON, lambda first: good(first)[:-40]),
    refused("a single brace", NOT_JSON, _always(b"{")),
    refused("single quotes for double ones", NOT_JSON, lambda first: good(first).replace(b'"', b"'")),
    refused("a comma too many", NOT_JSON, lambda first: good(first).replace(b"}]", b"},]")),
    refused("trailing garbage after the JSON", NOT_JSON, lambda first: good(first) + b" and more"),
    refused("trailing NULs after the JSON", NOT_JSON, lambda first: good(first) + bytes(512)),
    refused("two JSON documents one after the other", NOT_JSON, lambda first: good(first) + good(first)),
    refused("HTML of an error page", NO_FORMAT, _always(b"<!doctype html><title>502 Bad Gateway</title>")),
    refused("XML", NO_FORMAT, _always(b'<?xml version="1.0"?><SearchResult/>')),
    refused("a PNG", NO_FORMAT, _always(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")),
    refused("a zip archive", "^this is a zip file without an Excel workbook", _zip),
    refused("bytes that are no text", NO_FORMAT, _always(bytes(range(128, 256)))),
    refused("the whole payload nested 200,000 levels deep", NOT_JSON, _always(b"[" * 200_000)),
    refused("objects nested 50,000 levels deep", OTHER, _always(b'{"a":' * 50_000 + b"1" + b"}" * 50_000)),
    refused("an object without content", EMPTY, _always(b"")),
    refused("white space only", EMPTY, _always(b" \r\n\t" * 100)),
)

PACKED = (
    refused("gzip cut short", DAMAGED, lambda first: gzip.compress(good(first))[:-12]),
    refused("gzip with a wrong checksum", DAMAGED, lambda first: gzip.compress(good(first))[:-8] + bytes(8)),
    refused("gzip with rubbish inside", DAMAGED, lambda _: gzip.compress(b"")[:10] + b"\xff" * 100),
    refused("gzip with garbage behind it", DAMAGED, lambda first: gzip.compress(good(first)) + b"garbage"),
    refused("two bytes that begin like gzip", DAMAGED, _always(b"\x1f\x8b")),
    refused("gzip of nothing", EMPTY, lambda _: gzip.compress(b"")),
    refused(
        "gzip inside gzip",
        "^this is a gzip file in a compressed file",
        lambda first: gzip.compress(gzip.compress(good(first))),
    ),
    refused("zstd cut short", DAMAGED, lambda first: zstd.compress(good(first))[:-5]),
    refused("zstd with rubbish inside", DAMAGED, lambda _: b"\x28\xb5\x2f\xfd" + b"\xff" * 100),
    refused("four bytes that begin like zstd", DAMAGED, _always(b"\x28\xb5\x2f\xfd")),
    refused("a gzip bomb", TOO_LARGE, lambda _: _zeros(gzip.open, 64)),
    refused("a zstd bomb", TOO_LARGE, lambda _: _zeros(zstd.open, 256)),
    refused("a gzip bomb of many members", TOO_LARGE, lambda _: _zeros(gzip.open, 1) * 64),
    refused("a file larger than the bound", "more than the limit", _always(b" " * (9 * MIB) + b"{}")),
    refused("a gzip bomb of white space", TOO_LARGE, lambda _: gzip.compress(b" " * (32 * MIB), 1)),
    refused(
        "a gzip bomb of good JSON",
        TOO_LARGE_A_DOCUMENT,
        lambda first: gzip.compress(good(first)[:-1] + b', "more": "%s"}' % (b"x" * (13 * MIB)), 1),
    ),
    Case("gzip of two members", lambda first: gzip.compress(good(first)[:20]) + gzip.compress(good(first)[20:]), GOOD),
)

WRONG_SHAPE = (
    refused("an empty object", OTHER, _always(b"{}")),
    refused("null", NO_FORMAT, _always(b"null")),
    refused("a number", NO_FORMAT, _always(b"42")),
    refused("not a number", NO_FORMAT, _always(b"NaN")),
    refused("a payload of another dataset", OTHER, _always(b'{"paging": {}, "data": [{"usajobsControlNumber": 1}]}')),
    refused("items in an object", OTHER, _always(b'{"SearchResult": {"SearchResultItems": {"0": {}}}}')),
    refused("items in a text", OTHER, _always(b'{"SearchResult": {"SearchResultItems": "none"}}')),
    refused("items that are null", OTHER, _always(b'{"SearchResult": {"SearchResultItems": null}}')),
    refused("a search result that is a list", OTHER, _always(b'{"SearchResult": [{"SearchResultItems": []}]}')),
    refused("a field name spelt in lower case", OTHER, _always(b'{"searchresult": {"searchresultitems": []}}')),
    refused("an object of names of ours", OTHER, _always(b'{"request": {}, "response": {"status": 200}}')),
)

STRANGE_BUT_GOOD = (
    Case(
        "latin-1 text",
        lambda first: written(response(posting(first + 1), posting(first + POISON), posting(first + 2))).replace(
            f'POISON-{first + POISON}"'.encode(), 'Fondé"'.encode("latin-1")
        ),
        Quarantined({1: "json"}),
        neighbours=NEIGHBOURS,
    ),
    Case("an empty list", _always(b"[]"), Lands()),
    Case("a bare list of postings", lambda first: written([posting(first + POISON)]), GOOD),
    Case("an empty page", lambda _: written(response()), Lands()),
    Case("a byte order mark at the start", lambda first: b"\xef\xbb\xbf" + good(first), GOOD),
    Case("UTF-16 with a byte order mark", lambda first: good(first).decode().encode("utf-16"), GOOD),
    Case("UTF-16 without one", lambda first: good(first).decode().encode("utf-16-le"), GOOD),
    Case("UTF-32", lambda first: good(first).decode().encode("utf-32"), GOOD),
    Case("line ends of Windows", lambda first: good(first).replace(b",", b",\r\n"), GOOD),
    Case("a page in one line of two megabytes", lambda first: b" " * (2 * MIB) + good(first), GOOD),
    Case("a wrong content type", good, GOOD, extra={"ContentType": "image/png"}),
    Case("a content encoding that is not true", good, GOOD, extra={"ContentEncoding": "gzip"}),
    Case(
        "a content encoding that is true",
        lambda first: gzip.compress(good(first)),
        GOOD,
        extra={"ContentEncoding": "gzip", "ContentType": "application/json"},
    ),
    Case("a name that promises another packing", good, GOOD, key=f"{UPLOADS}poison/page.parquet.zst"),
    Case("a folder made in the S3 console", _always(b""), Ignored(), key=f"{UPLOADS}poison/a folder/"),
    Case("a folder without a dataset", _always(b""), Ignored(), key="bronze/"),
    Case("a folder for a dataset to come", _always(b""), Ignored(), key="bronze/a dataset to come/"),
    Case("a folder in silver", _always(b""), Ignored(), key="silver/"),
    Case("a file whose name ends like a folder's", good, GOOD, key=f"{UPLOADS}poison/page.json/"),
)

OF_OTHER_TOOLS = tuple(
    Case(f"left by a tool, {name}", good, Ignored(), key=f"{UPLOADS}poison/{name}")
    for name in (
        "_temporary/0/task/part-0.json",
        "out/_SUCCESS",
        ".part-0.json.crc",
        "out_$folder$",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        "~$codes.json",
        "codes.json.part",
        "codes.json.tmp",
        "._codes.json",
    )
)

BESIDE_THE_LIST = tuple(
    Case(
        f"a document with {name} beside its list",
        lambda first, name=name, value=value: written({name: value} | response(posting(first + POISON))),  # type: ignore[misc]
        GOOD,
    )
    for name, value in (
        ("response", {"payload": None}),
        ("records", []),
        ("replay", {"indexes": [1]}),
        ("ingest", {"run_id": "x"}),
    )
)

NOT_QUITE_JSON = (
    Case("one JSON line", lambda first: written(posting(first + POISON)) + b"\n", GOOD),
    Case(
        "a first JSON line cut short",
        lambda first: (
            written(posting(first))[:-30] + b"\n" + b"\n".join(written(posting(first + n)) for n in NEIGHBOURS)
        ),
        Quarantined({0: "json"}),
        neighbours=NEIGHBOURS,
    ),
    *(
        Case(
            f"a document with {what} in one record",
            lambda first, bad=bad: written(  # type: ignore[misc]
                response(posting(first + 1), posting(first + POISON, "<bad>"), posting(first + 2))
            ).replace(b"<bad>", bad),
            Quarantined({1: "json"}),
            neighbours=NEIGHBOURS,
        )
        for what, bad in (("a raw tab", b"a\tb"), ("a raw line end", b"a\nb"), ("a bad escape", b"a\\qb"))
    ),
    Case("items that are null where there are none", _always(_none(b'"SearchResultItems": null')), Lands()),
    Case("items that are absent where there are none", _always(_none(b'"SearchResultCountAll": 0')), Lands()),
)

CASES = (*OF_OTHER_TOOLS, *BESIDE_THE_LIST, *NOT_QUITE_JSON, *NOT_JSON_AT_ALL, *PACKED, *WRONG_SHAPE, *STRANGE_BUT_GOOD)
