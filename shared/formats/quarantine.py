"""The quarantine object: gzipped JSON lines, one rejected record a line, each complete in itself."""

import gzip
import json
import re
import zlib
from collections.abc import Iterable
from datetime import datetime
from io import BytesIO
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.errors import PermanentError
from shared.fields import NonNegativeInt32, RunId, ShortText
from shared.formats.version import require_supported
from shared.storage.object_id import ObjectId

NOT_ASCII = re.compile("[^\x00-\x7f]")
LARGEST = 1 << 30  # bytes of a quarantine object, expanded


class Problem(BaseModel):
    """One rule that a record failed. `field` is a dotted path in the record, or `table.column` for the gate's rules."""

    model_config = ConfigDict(frozen=True)

    rule: str
    field: str
    message: str


class Rejected(BaseModel):
    """A record that failed, with everything needed to understand and replay it. `raw` is its JSON text, ASCII only."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    dataset: str
    source: ObjectId
    transform_version: int
    run_id: RunId | None
    record_index: NonNegativeInt32
    natural_key: ShortText | None  # where the record is whole enough to tell
    observed_at: datetime
    problems: Annotated[tuple[Problem, ...], Field(min_length=1)]
    raw: Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]


def write(rejected: Iterable[Rejected]) -> bytes:
    """The object's bytes; deterministic."""
    return gzip.compress(b"".join(entry.model_dump_json().encode() + b"\n" for entry in rejected), mtime=0)


def read(body: bytes) -> list[Rejected]:
    """The entries, at least one. Raises NewerVersionError, PermanentError for what `write` did not write."""
    try:
        with gzip.open(BytesIO(body)) as stream:
            content = stream.read(LARGEST + 1)
        if len(content) > LARGEST:
            message = f"a quarantine object of more than {LARGEST} bytes"
            raise PermanentError(message)
        entries = [_entry(line) for line in content.splitlines()]
    except (OSError, EOFError, zlib.error, ValidationError) as error:
        message = f"not a quarantine object: {type(error).__name__}: {error}"
        raise PermanentError(message) from error
    if not entries:
        message = "not a quarantine object: it is empty"
        raise PermanentError(message)
    return entries


def _entry(line: bytes) -> Rejected:
    try:
        return Rejected.model_validate_json(line)
    except ValidationError:
        require_supported(line, "version", "a quarantine object")
        raise


def raw_text(text: str, limit: int) -> str:
    """A record's own JSON text, in ASCII: its numbers keep their digits. Of a larger one, where to look."""
    text = NOT_ASCII.sub(lambda character: json.dumps(character[0])[1:-1], text)
    return text if len(text) <= limit else json.dumps(f"{len(text)} bytes, too large to be kept: see the source object")
