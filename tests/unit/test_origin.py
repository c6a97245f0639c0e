"""Where the records of a bronze object come from, as far as the object may say so itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from services.transformer.batching import RecordBatch
from services.transformer.content import Content
from services.transformer.provenance import Provenance, provenance_of
from services.transformer.transform import TransformResult
from shared.errors import PermanentError
from shared.storage.object_id import ObjectId
from shared.version import VERSION

DATASET = "usajobs_search"
RUN = "20250903T120000Z-0badcafe"
STORED = datetime(2025, 9, 3, 12, 0, 30, tzinfo=UTC)
DATE = "Wed, 03 Sep 2025 12:00:00 GMT"
INGEST = {"run_id": RUN, "part": 2, "page": 3, "of": 4, "part_rows": 1005}
PAGE = f"bronze/{DATASET}/date=2025-09-03/page.json.gz"
UPLOAD = f"uploads/{DATASET}/a.json"
REPLAY = f"replays/{DATASET}/{RUN}/1.json"
REPEATED: dict[str, Any] = {
    "source": {"bucket": "lake", "key": UPLOAD, "version_id": "v"},
    "transform_version": 1,
    "observed_at": "2025-09-01T00:00:00Z",
    "indexes": [4],
}


def origin(key: str, **content: Any) -> Provenance:
    """Of an object that says this of itself."""
    return provenance_of(DATASET, ObjectId("lake", key, version_id="v"), Content(iter(()), **content), STORED)


def test_a_page_is_of_the_run_that_it_says_and_as_old_as_its_answer() -> None:
    found = origin(PAGE, ingest=INGEST, date=DATE)
    assert found.ingest
    assert found.ingest.model_dump() == INGEST
    assert found.observed_at == STORED - timedelta(seconds=30)


def test_an_upload_is_of_no_run_and_as_old_as_its_object() -> None:
    found = origin(UPLOAD)
    assert (found.ingest, found.replay, found.observed_at) == (None, None, STORED)


def test_a_page_without_a_date_is_as_old_as_its_object() -> None:
    assert origin(PAGE, ingest=INGEST).observed_at == STORED


@pytest.mark.parametrize("field", ["run_id", "part", "page", "of"])
def test_a_page_that_does_not_say_properly_which_it_is_is_refused(field: str) -> None:
    for ingest in ({**INGEST, field: None}, {name: value for name, value in INGEST.items() if name != field}):
        with pytest.raises(PermanentError, match=rf"not the envelope of a page or a replay: ingest\.{field}: ."):
            origin(PAGE, ingest=ingest)


def test_a_page_that_says_nothing_of_its_run_is_refused() -> None:
    with pytest.raises(PermanentError, match=r"not the envelope of a page or a replay: ingest\.run_id: Field required"):
        origin(PAGE)


def test_a_replay_was_seen_when_what_it_repeats_was_seen() -> None:
    found = origin(REPLAY, replay=REPEATED, date=DATE, ingest=INGEST)
    assert found.replay
    assert (found.replay.source.key, found.replay.indexes) == (UPLOAD, (4,))
    assert found.observed_at == datetime(2025, 9, 1, tzinfo=UTC)
    assert found.ingest is None


def test_a_replay_from_the_future_does_not_freeze_what_it_repeats() -> None:
    assert origin(REPLAY, replay=REPEATED | {"observed_at": "3025-01-01T00:00:00Z"}).observed_at == STORED


@pytest.mark.parametrize(
    "replay",
    [
        {},
        REPEATED | {"observed_at": "2025-09-01T00:00:00"},
        REPEATED | {"observed_at": None},
        REPEATED | {"indexes": [-1]},
        REPEATED | {"source": "a.json"},
    ],
)
def test_what_lies_among_the_replays_and_is_none_is_refused(replay: dict[str, Any]) -> None:
    with pytest.raises(PermanentError, match="not the envelope of a page or a replay"):
        origin(REPLAY, replay=replay)


def test_only_what_lies_among_the_replays_is_one() -> None:
    assert origin(UPLOAD, replay=REPEATED).replay is None
    assert origin(PAGE, ingest=INGEST, replay=REPEATED).replay is None


def test_a_batch_says_which_release_made_it() -> None:
    nothing = TransformResult(pl.DataFrame(), {}, (), {})
    assert origin(UPLOAD).header(RecordBatch(1, 0, [], last=True), nothing).made_by == f"smelt {VERSION}"
