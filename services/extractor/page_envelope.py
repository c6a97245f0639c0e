"""The bronze object of a page: the response unchanged, in an envelope with the request that produced it."""

import gzip
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from services.extractor.responses import SourcePage
from shared.datasets.source import Request
from shared.errors import PermanentError
from shared.formats.commands import PageCommand

MAX_ROWS = 2**31 - 1  # limit of the silver header's field


def envelope(  # noqa: PLR0913, PLR0917 - the parts of an envelope
    command: PageCommand,
    request: Request,
    fingerprints: tuple[str, ...],
    page: SourcePage,
    headers: Mapping[str, str],
    received_at: datetime,
) -> bytes:
    """The JSON of {request, response, ingest}. The request's headers are left out: they contain the key."""
    sent = {"url": request.url, "params": request.params} | ({} if request.body is None else {"body": request.body})
    ingest: dict[str, object] = {"run_id": command.run_id, "part": command.part, "page": command.page, "of": command.of}
    if request.record_fields:
        ingest["fields"] = dict(request.record_fields)
    rows = page.counts.rows
    return orjson.dumps(
        {
            "request": sent | ({"fingerprints": fingerprints} if fingerprints else {}),
            "response": {
                "status": page.status,
                "headers": headers,
                "received_at": received_at.astimezone(UTC).isoformat(),
                "payload": orjson.Fragment(page.text),
            },
            "ingest": ingest if rows is None else ingest | {"part_rows": min(rows, MAX_ROWS)},
        }
    )


def compressed(content: bytes, max_bytes: int) -> bytes:
    """Compress with deterministic gzip. Raises PermanentError if the transformer would reject the size."""
    if len(content) > max_bytes:
        message = f"page of {len(content)} bytes exceeds {max_bytes}, the limit set by SMELT_MAX_DOCUMENT_MIB"
        raise PermanentError(message)
    return gzip.compress(content, compresslevel=6, mtime=0)
