"""Identity and keys of objects."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PermanentError
from shared.fields import run_date
from shared.storage.object_id import ObjectId
from shared.storage.object_keys import (
    dataset_of,
    is_folder,
    is_replay,
    is_upload,
    page_key,
    plan_key,
    quarantine_key,
    raw_key_of,
    replay_key,
    silver_key,
    silver_prefix,
    upload_key,
)

KeyOf = Callable[[ObjectId, int, int], str]

RUN = "20250903T120000Z-0badcafe"
BRONZE = ObjectId("lake", "uploads/things/a.json", version_id="v1", etag="e1", sequencer="01")
NASTY = ["../../etc/passwd", "a b+c%2B", "ünï/ç😀dé", "..", "/", "a//b", "silver/x", "bronze/bronze/", "\x00"]


def test_the_date_of_a_run_is_in_its_id() -> None:
    assert run_date(RUN) == "2025-09-03"


@pytest.mark.parametrize(
    "run_id",
    [
        "",
        "20250903",
        f"{RUN}0",
        f"x{RUN}",
        f"{RUN}\n",
        RUN.upper(),
        "../../20250903T120000Z-0badcafe",
        RUN.replace("-", ""),
    ],
)
def test_what_is_not_a_run_id_is_refused_with_its_form(run_id: str) -> None:
    with pytest.raises(PermanentError, match="YYYYMMDDTHHMMSSZ-xxxxxxxx"):
        run_date(run_id)


def test_a_page_lies_under_its_dataset_day_run_and_part() -> None:
    key = "bronze/things/date=2025-09-03/run=20250903T120000Z-0badcafe/part=0002/page=0013.json.gz"
    assert page_key("things", RUN, part=2, page=13) == key


def test_pages_beyond_9999_still_have_keys_of_their_own() -> None:
    assert len({page_key("things", RUN, part, page) for part in (1, 10_001) for page in (1, 10_001, 100_001)}) == 6


def test_a_plan_lies_under_its_dataset_day_and_run() -> None:
    assert plan_key("things", RUN) == "plans/things/date=2025-09-03/run=20250903T120000Z-0badcafe/plan.json"


@pytest.mark.parametrize(
    "key", ["uploads/things/a.json", "bronze/things/b", "bronze/things/", "replays/things/run/1.json"]
)
def test_the_dataset_is_the_first_folder_of_a_raw_key(key: str) -> None:
    assert dataset_of(key) == "things"


@pytest.mark.parametrize(
    "key", ["", "bronze", "bronze/", "bronze/things", "uploads//a", "silver/things/a", "/bronze/a/b"]
)
def test_a_key_without_a_dataset_is_refused_by_name(key: str) -> None:
    with pytest.raises(PermanentError, match=f"^{key}: not the key of raw data"):
        dataset_of(key)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("uploads/things/a.json", True),
        ("uploads/things/deep/er/a.json", True),
        (page_key("things", RUN, 1, 1), False),
        ("uploads", False),
        ("bronze/", False),
        ("", False),
        ("bronze/things/uploads/a.json", False),
    ],
)
def test_only_what_lies_below_the_prefix_of_uploads_is_an_upload(key: str, *, expected: bool) -> None:
    assert is_upload(key) is expected


def test_a_file_that_is_dropped_lies_in_the_uploads_folder_under_its_own_name() -> None:
    assert upload_key("things", "deep/a b.json") == "uploads/things/deep/a b.json"


def test_the_version_is_s3_s_or_else_the_etag() -> None:
    assert [ObjectId("b", "k", *ids).version for ids in [("v", "e"), (None, "e"), (None, None)]] == ["v", "e", ""]


@pytest.mark.parametrize("key_of", [silver_key, quarantine_key])
def test_the_same_object_and_transform_always_give_the_same_key(key_of: KeyOf) -> None:
    redelivered = ObjectId("lake", BRONZE.key, version_id="v1", etag=None, sequencer="02")
    assert key_of(BRONZE, 1, 1) == key_of(redelivered, 1, 1)


@pytest.mark.parametrize("key_of", [silver_key, quarantine_key])
def test_another_version_bucket_key_transform_or_batch_gives_another_key(key_of: KeyOf) -> None:
    others = [
        ObjectId("lake", BRONZE.key, version_id="v2"),
        ObjectId("lake", BRONZE.key, etag="e1"),
        ObjectId("pond", BRONZE.key, version_id="v1"),
        ObjectId("lake", "uploads/things/b.json", version_id="v1"),
    ]
    keys = [
        key_of(BRONZE, 1, 1),
        key_of(BRONZE, 2, 1),
        key_of(BRONZE, 1, 2),
        *(key_of(other, 1, 1) for other in others),
    ]
    assert len(set(keys)) == len(keys)


def test_silver_and_quarantine_keep_the_path_of_the_bronze_object() -> None:
    assert silver_key(BRONZE, 3, 12).startswith("silver/things/uploads/a.json/")
    assert silver_key(BRONZE, 3, 12).endswith("-v3-00012.parquet")
    assert quarantine_key(BRONZE, 3, 12).startswith("quarantine/things/uploads/a.json/")
    assert quarantine_key(BRONZE, 3, 12).endswith("-v3-00012.jsonl.gz")


def test_the_batches_of_an_object_and_of_no_other_share_a_stem() -> None:
    stem = silver_prefix(BRONZE, 1)
    assert all(silver_key(BRONZE, 1, batch).startswith(stem) for batch in (1, 99_999, 100_000))
    newer = ObjectId("lake", BRONZE.key, version_id="v2")
    assert not any(key.startswith(stem) for key in (silver_key(BRONZE, 11, 1), silver_key(newer, 1, 1)))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (replay_key("things", RUN, 1), True),
        ("uploads/things/replays/a.json", False),
        ("bronze/things/replays/a.json", False),
    ],
)
def test_only_what_lies_below_the_prefix_of_replays_is_a_replay(key: str, *, expected: bool) -> None:
    assert is_replay(key) is expected
    assert not (is_replay(key) and is_upload(key))


def test_only_an_empty_object_whose_key_ends_in_a_slash_is_a_folder() -> None:
    assert is_folder(ObjectId("lake", "bronze/things/"), 0)
    assert not is_folder(ObjectId("lake", "bronze/things/"), 1)
    assert not is_folder(BRONZE, 0)


@given(st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=["Cs"])))
def test_no_key_leads_out_of_its_prefix(name: str) -> None:
    bronze = ObjectId("lake", f"bronze/{name}", version_id="v1")
    assert silver_key(bronze, 1, 1).startswith(f"silver/{name}/")
    assert quarantine_key(bronze, 1, 1).startswith(f"quarantine/{name}/")
    assert page_key(name, RUN, 1, 1).startswith(f"bronze/{name}/date=")
    assert plan_key(name, RUN).startswith(f"plans/{name}/date=")


@pytest.mark.parametrize("key_of", [silver_key, quarantine_key])
@pytest.mark.parametrize(
    "key", [page_key("things", RUN, 1, 1), upload_key("things", "deep/a b.json"), replay_key("things", RUN, 7)]
)
def test_the_key_of_what_is_made_tells_what_it_was_made_of(key_of: KeyOf, key: str) -> None:
    assert raw_key_of(key_of(ObjectId("lake", key, version_id="v1"), 3, 12)) == key


def test_a_path_too_long_to_be_repeated_does_not_tell() -> None:
    assert raw_key_of(silver_key(ObjectId("lake", upload_key("things", "k" * 950)), 1, 1)) is None
