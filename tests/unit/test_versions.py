"""Which of two versions of an object is the newer, where nobody told us S3's sequencer."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from services.ops.reconcile.sequencers import sequenced
from shared.formats.observation import Observation, observation
from shared.storage.object_id import ObjectId
from shared.storage.versions import ObjectVersion

AT = datetime(2026, 1, 5, tzinfo=UTC)
KEY = "uploads/d/a.json"
FIRST, SECOND = "0055AED6DCD90281E5", "0055AED6DCD90281E6"  # as S3 writes them, one after the other


def sequencers(*held: str | None) -> list[str | None]:
    """Of versions of one key, the oldest first, of which the ledger has these."""
    versions = [ObjectVersion(ObjectId("bucket", KEY, str(number)), AT, 1) for number in range(len(held))]
    known = {(KEY, str(number)): sequencer for number, sequencer in enumerate(held)}
    return [stored.object.sequencer for stored in sequenced(versions, known)]


def seen(sequencer: str | None) -> Observation:
    return observation(AT, KEY, sequencer, 1)


@pytest.mark.parametrize(
    "held",
    [
        (None, None, None),
        (FIRST, None, None),
        (None, None, FIRST),
        (FIRST, None, SECOND),
        (FIRST.lower(), None, SECOND),
        (FIRST, None, None, None, SECOND, None),
        ("not a number", None, None),
    ],
)
def test_each_version_is_newer_than_the_one_before(held: tuple[str | None, ...]) -> None:
    found = sequencers(*held)
    assert [own for own, known in zip(found, held, strict=True) if known] == [known for known in held if known]
    numbers = [own for own in found if own != "not a number"]
    assert all(seen(older) < seen(newer) for older, newer in pairwise(numbers))


def test_what_was_made_up_once_is_made_up_again() -> None:
    once = sequencers(FIRST, None, None)
    assert sequencers(*once) == once
    assert sequencers(FIRST, once[1], None) == once


def test_an_only_version_needs_no_sequencer() -> None:
    assert sequencers(None) == [None]
