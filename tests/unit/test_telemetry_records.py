"""What became of a batch's records adds up, also where some came as bare sightings."""

from datetime import UTC, datetime

from services.loader.ledger import LoadCounts
from services.loader.load import _outcomes
from shared.formats.silver import Counts, SilverHeader
from shared.storage.object_id import ObjectId


def header(read: int, quarantined: int) -> SilverHeader:
    counts = Counts(read=read, valid=read - quarantined, quarantined=quarantined)
    source = ObjectId("bucket", "uploads/some/file")
    return SilverHeader(
        dataset="some", transform_version=1, source=source, observed_at=datetime(2026, 1, 1, tzinfo=UTC), counts=counts
    )


def test_unchanged_records_that_came_in_full_are_told_from_sightings() -> None:
    effect = LoadCounts(inserted=3, updated=2, unchanged=7, stale=4)
    outcomes = _outcomes(header(read=17, quarantined=1), effect, in_full=3 + 2 + 1)
    assert outcomes == {"inserted": 3, "updated": 2, "unchanged": 1, "hash_only": 6, "stale": 4, "quarantined": 1}
    assert sum(outcomes.values()) == 17
