"""The order of observations of a record, independent of the order in which they are loaded."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256

# S3 sequencers are hexadecimal numbers of different lengths, compared after right-padding (docs.aws.amazon.com, "Event
# message structure"). None is longer than this.
SEQUENCER_LENGTH = 32


@dataclass(frozen=True, order=True)
class Observation:
    """When and where a record was observed. Fields are in order of precedence.

    `observed_at` is by the source's clock or S3's, never a worker's. `source_key_hash` breaks ties between objects of
    the same second consistently. For one key the sequencer decides (to which the loader appends the batch number), then
    the transform version.
    """

    observed_at: datetime
    source_key_hash: int
    sequencer: str
    transform_version: int


def observation(observed_at: datetime, key: str, sequencer: str | None, transform_version: int) -> Observation:
    """The observation of an object's records. A missing sequencer sorts first."""
    return Observation(
        observed_at, source_number(key), (sequencer or "").upper().ljust(SEQUENCER_LENGTH, "0"), transform_version
    )


def source_number(key: str) -> int:
    """A stable signed 64-bit hash of an object key, shorter than the key."""
    return int.from_bytes(sha256(key.encode()).digest()[:8], "big", signed=True)


def observed_at(date_header: str | None, last_modified: datetime) -> datetime:
    """The source's time from the `Date` header, or else S3's time of storing the object.

    At most S3's time, so that a wrong clock or a forged header cannot block later updates.
    """
    if not date_header:
        return last_modified
    try:
        moment = parsedate_to_datetime(date_header)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return last_modified
    return min(moment, last_modified)
