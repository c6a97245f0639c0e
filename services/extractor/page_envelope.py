"""The bronze object of a page: the answer as it came, in an envelope that says how it was asked for."""

import gzip
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from services.extractor.answers import Page
from shared.datasets.source import Request
from shared.errors import PermanentError
from shared.formats.commands import PageCommand

MOST_ROWS = 2**31 - 1  # that a header takes


def envelope(  # noqa: PLR0913, PLR0917 - what an envelope holds
    command: PageCommand,
    request: Request,
    fingerprints: tuple[str, ...],
    page: Page,
    headers: Mapping[str, str],
    received_at: datetime,
) -> bytes:
    """The JSON of {request, response, ingest}. Request headers are left out: they carry the key."""
    asked = {"url": request.url, "params": request.params}
    ingest = {"run_id": command.run_id, "part": command.part, "page": command.page, "of": command.of}
    rows = page.counts.rows
    return orjson.dumps(
        {
            "request": asked | ({"fingerprints": fingerprints} if fingerprints else {}),
            "response": {
                "status": page.status,
                "headers": headers,
                "received_at": received_at.astimezone(UTC).isoformat(),
                "payload": orjson.Fragment(page.text),
            },
            "ingest": ingest if rows is None else ingest | {"part_rows": min(rows, MOST_ROWS)},
        }
    )


def compressed(content: bytes, largest: int) -> bytes:
    """Deterministic gzip. Raises PermanentError for more than the transformer reads."""
    if len(content) > largest:
        message = f"a page of {len(content)} bytes, more than the {largest} that SMELT_MAX_DOCUMENT_MIB allows"
        raise PermanentError(message)
    return gzip.compress(content, compresslevel=6, mtime=0)
