"""Objects under the prefix of replays, which only operators' commands write: forged, damaged, and good."""

from typing import Any

from tests.contract.poison.case import GOOD, POISON, Body, Case, DeadLetter, Ending, Quarantined, good, posting, written

FOLDER = "replays/usajobs_search/20260101T000000Z-0123abcd/"
REFUSED = DeadLetter("not the envelope of a page or a replay")
SOURCE = {"bucket": "smelt", "key": "uploads/usajobs_search/replayed.json", "version_id": "1"}
REPLAY: dict[str, Any] = {
    "source": SOURCE,
    "transform_version": 1,
    "observed_at": "2026-01-01T00:00:00Z",
    "indexes": [0],
}


def _repeating(**fields: Any) -> Body:
    """A replay of one good posting, but for these fields."""
    return lambda first: written({"replay": REPLAY | fields, "records": [posting(first + POISON)]})


BODIES: dict[str, tuple[Body, Ending]] = {
    "one good posting": (_repeating(), GOOD),
    "a posting that is still bad": (
        lambda first: written({"replay": REPLAY, "records": [posting(first + POISON, "")]}),
        Quarantined({0: "position_title_present"}),
    ),
    "an object that never was": (_repeating(source=SOURCE | {"key": "bronze/usajobs_search/never"}), GOOD),
    "indexes that never were": (_repeating(indexes=[2**31 - 1, 5]), GOOD),
    "a posting seen in a thousand years": (_repeating(observed_at="3026-01-01T00:00:00Z"), GOOD),
    "a page that is no replay": (good, REFUSED),
    "a replay of nothing": (lambda first: written({"replay": {}, "records": [posting(first)]}), REFUSED),
    "a replay that is a text": (lambda first: written({"replay": "all", "records": [posting(first)]}), REFUSED),
    "a replay without records": (lambda _: written({"replay": REPLAY}), DeadLetter("a list of records")),
    "records in an object": (lambda _: written({"replay": REPLAY, "records": {}}), DeadLetter("a list of records")),
    "a source that is a text": (_repeating(source="x"), REFUSED),
    "a source without a key": (_repeating(source={"bucket": "smelt"}), REFUSED),
    "an index that is negative": (_repeating(indexes=[-1]), REFUSED),
    "an index beyond an integer": (_repeating(indexes=[2**31]), REFUSED),
    "indexes that are a number": (_repeating(indexes=5), REFUSED),
    "a moment that is none": (_repeating(observed_at="soon"), REFUSED),
    "a moment without a zone": (_repeating(observed_at="2026-01-01T00:00:00"), REFUSED),
    "a version that is a text": (_repeating(transform_version="new"), REFUSED),
    "nothing at all": (lambda _: b"", DeadLetter("the object is empty")),
}

CASES = tuple(
    Case(f"under replays, {what}", body, ends, key=f"{FOLDER}{number:05d}.json")
    for number, (what, (body, ends)) in enumerate(BODIES.items(), start=1)
)
