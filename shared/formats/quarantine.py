"""The quarantine object: gzipped JSON lines with one self-contained rejected record each."""

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
MAX_BYTES = 1 << 30  # decompressed


class Problem(BaseModel):
    """A rule that a record failed. `field` is a path in the record, or `table.column` for the gate's rules."""

    model_config = ConfigDict(frozen=True)

    rule: str
    field: str
    message: str


class Rejected(BaseModel):
    """A rejected record with everything needed to diagnose and replay it. `raw` is its JSON text in ASCII."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    dataset: str
    source: ObjectId
    transform_version: int
    run_id: RunId | None
    record_index: NonNegativeInt32
    natural_key: ShortText | None  # None if the record has no usable key
    observed_at: datetime
    problems: Annotated[tuple[Problem, ...], Field(min_length=1)]
    raw: Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]


def write(rejected: Iterable[Rejected]) -> bytes:
    """Serialise deterministically."""
    return gzip.compress(b"".join(entry.model_dump_json().encode() + b"\n" for entry in rejected), mtime=0)


def read(body: bytes) -> list[Rejected]:
    """The entries, at least one. Raises NewerVersionError, or PermanentError for invalid objects."""
    try:
        with gzip.open(BytesIO(body)) as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            message = f"a quarantine object of more than {MAX_BYTES} bytes"
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
    """The record's JSON text in ASCII, with the original digits of numbers; a note if it exceeds the limit."""
    text = NOT_ASCII.sub(lambda character: json.dumps(character[0])[1:-1], text)
    return text if len(text) <= limit else json.dumps(f"{len(text)} bytes, too large to be kept: see the source object")
