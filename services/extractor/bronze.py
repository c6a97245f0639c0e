"""The bronze object of a page: the answer exactly as it came, in an envelope that says how it was asked for."""

import gzip
from datetime import UTC, datetime

import orjson

from services.extractor.fetch import Answer
from shared import lenient_json
from shared.datasets.contract import Request
from shared.events import PageCommand


def envelope(command: PageCommand, request: Request, answer: Answer, received_at: datetime) -> bytes:
    """Deterministic gzip of {request, response, ingest}. Request headers are left out: they carry the key."""
    content = {
        "request": {"url": request.url, "params": request.params},
        "response": {
            "status": answer.status,
            "headers": answer.headers,
            "received_at": received_at.astimezone(UTC).isoformat(),
            "payload": orjson.Fragment(answer.body),
        },
        "ingest": {"run_id": command.run_id, "part": command.part, "page": command.page, "of": command.of},
    }
    return gzip.compress(orjson.dumps(content), compresslevel=6, mtime=0)


def payload(body: bytes) -> object:
    """What the source answered, out of an envelope that we wrote."""
    content: dict[str, dict[str, object]] = lenient_json.loads(gzip.decompress(body))
    return content["response"]["payload"]
