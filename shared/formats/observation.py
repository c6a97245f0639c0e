"""Which of two observations of the same record is newer, whatever order they arrive in."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256

# S3 sequencers are hexadecimal numbers of differing length, compared after padding on the right
# (docs.aws.amazon.com, "Event message structure"). None seen is longer than this.
SEQUENCER_LENGTH = 32


@dataclass(frozen=True, order=True)
class Observation:
    """When and where a record was seen. The order of the fields is the order of precedence.

    `observed_at` is the source's clock or S3's, never a worker's. `source_key_hash` breaks ties between
    objects of the same second the same way on every machine; for one key the sequencer decides (to which the loader
    appends the batch's number), then the transform version.
    """

    observed_at: datetime
    source_key_hash: int
    sequencer: str
    transform_version: int


def observation(observed_at: datetime, key: str, sequencer: str | None, transform_version: int) -> Observation:
    """The observation made by reading object `key`; an event without a sequencer counts as the oldest of its key."""
    return Observation(
        observed_at, source_number(key), (sequencer or "").upper().ljust(SEQUENCER_LENGTH, "0"), transform_version
    )


def source_number(key: str) -> int:
    """A stable signed 64-bit number for an object key: eight bytes in every row instead of a hundred."""
    return int.from_bytes(sha256(key.encode()).digest()[:8], "big", signed=True)


def observed_at(date_header: str | None, last_modified: datetime) -> datetime:
    """The source's own time of a response (its `Date` header), else when S3 stored it.

    Never later than S3's time: a source whose clock is wrong, or a forged header, must not freeze rows for years.
    """
    if not date_header:
        return last_modified
    try:
        said = parsedate_to_datetime(date_header)
        said = said.astimezone(UTC) if said.tzinfo else said.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return last_modified
    return min(said, last_modified)
