"""Broken postings among good ones: the good ones land, the broken ones wait with their rule, and land after a fix."""

import os
import subprocess
from typing import Any

import boto3
import orjson
import pytest
from pydantic import model_validator
from sqlalchemy import Engine, text

from services.loader import load as loader
from services.transformer.input_limits import InputLimits
from services.transformer.worker import Transformer
from shared.config.settings import load_settings
from shared.datasets import registry
from shared.storage import object_keys, objects
from shared.storage.object_id import ObjectId
from tests.integration.test_loader import DATASET, posting
from tests.support import smelt_server

pytestmark = pytest.mark.integration

RUN = "20260105T000000Z-0123abcd"
INGEST = {"run_id": RUN, "part": 1, "of": 2}
PAY = {"MaximumRange": "10", "MinimumRange": "1", "RateIntervalCode": "PA"}
# {rule: what is wrong with the posting}
BROKEN: dict[str, dict[str, Any]] = {
    "position_title_present": {"PositionTitle": " "},
    "position_title_length": {"PositionTitle": "long " * 200},
    "position_uri_pattern": {"PositionURI": "javascript:alert(1)"},
    "minimum_range_range": {"PositionRemuneration": [{**PAY, "MinimumRange": "-1"}]},
    "minimum_range_not_above_maximum_range": {"PositionRemuneration": [{**PAY, "MinimumRange": "11"}]},
    "publication_start_date_not_above_application_close_date": {
        "PublicationStartDate": "2026-02-01",
        "ApplicationCloseDate": "2026-01-01",
    },
    "latitude_range": {"PositionLocation": [{"Latitude": "91"}]},
    "longitude_range": {"PositionLocation": [{"Longitude": "-181"}]},
    "datetime_from_date_parsing": {"PositionStartDate": "2026-13-45"},
    "decimal_type": {"PositionRemuneration": [{**PAY, "MaximumRange": "a lot"}]},
}


@pytest.fixture
def transform_object(database: Engine) -> Any:
    """Take an object of bronze through transformer and loader, as its event would."""
    s3, bucket = boto3.client("s3"), load_settings().bucket
    bounds = InputLimits(stored=1 << 28, expanded=1 << 28, document=1 << 28, record=1 << 24, nesting=64)

    def transform_object(key: str) -> None:
        bronze = ObjectId(bucket, key, s3.head_object(Bucket=bucket, Key=key)["VersionId"], sequencer="0A")
        Transformer(s3, bucket, bounds).transform_object(bronze)
        for key_of in (object_keys.silver_key, object_keys.quarantine_key):
            made = ObjectId(bucket, key_of(bronze, 1, 1))
            if objects.exists(s3, bucket, made.key):
                loader.load(s3, database, made)

    return transform_object


def smelt(*arguments: str) -> str:
    command = [str(smelt_server.program()), "quarantine", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, env=os.environ | {"COLUMNS": "200"}
    )
    return done.stdout


def rows(database: Engine, query: str) -> list[Any]:
    with database.connect() as connection:
        return list(connection.execute(text(query)).all())


def mended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fix: a gate without rules, and a raw model that leaves out what it cannot read."""
    raw = registry.dataset(DATASET)

    class Mended(raw.record_model):  # type: ignore[name-defined,misc]
        @model_validator(mode="before")
        @classmethod
        def _leave_out(cls, data: Any) -> Any:
            descriptor = data["MatchedObjectDescriptor"]
            unreadable = {"2026-13-45"}
            kept = {name: value for name, value in descriptor.items() if str(value) not in unreadable}
            pay = [one for one in kept.get("PositionRemuneration", []) if one["MaximumRange"] != "a lot"]
            return {**data, "MatchedObjectDescriptor": {**kept, "PositionTitle": "Mended", "PositionRemuneration": pay}}

    monkeypatch.setitem(vars(raw), "record_model", Mended)
    monkeypatch.setitem(vars(raw), "checks", {})


def test_broken_postings_wait_with_their_rule_and_land_after_a_fix(
    database: Engine, transform_object: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = [posting(number) for number in range(1, 491)]
    broken = [posting(1_000 + index) for index in range(len(BROKEN))]
    for one, flaw in zip(broken, BROKEN.values(), strict=True):
        one["MatchedObjectDescriptor"] |= flaw
    mixed = [*good]
    for index, one in enumerate(broken):
        mixed.insert(index * 50, one)
    key = object_keys.upload_key(DATASET, "mixed.json")
    body = orjson.dumps({"SearchResult": {"SearchResultItems": mixed}})
    boto3.client("s3").put_object(Bucket=load_settings().bucket, Key=key, Body=body)

    transform_object(key)
    assert rows(database, "select count(*) from silver.job") == [(490,)]
    entries = rows(
        database, "select natural_key, rule from ops.quarantine where closed_at is null order by natural_key"
    )
    assert [(int(number), rule) for number, rule in entries] == [
        (1_000 + index, rule) for index, rule in enumerate(BROKEN)
    ]
    assert "decimal_type" in smelt("list")
    assert smelt("replay", "--dry-run") == "would replay: 10\n"

    assert smelt("replay", "--rule", "latitude_range", "--yes") == "replayed: 1\n"  # before the fix it fails again
    transform_object(newest_replay())
    assert rows(database, "select count(*), count(closed_at) from ops.quarantine") == [(11, 1)]

    mended(monkeypatch)
    assert smelt("replay", "--yes") == "replayed: 10\n"
    for replayed in replays()[-2:]:
        transform_object(replayed)
    assert rows(database, "select count(*) from silver.job") == [(500,)]
    assert rows(database, "select count(*) from ops.quarantine where closed_at is null") == [(0,)]
    assert rows(database, "select distinct closed_as from ops.quarantine") == [("replayed",)]
    assert rows(database, "select kind, matched, processed, outcome from ops.operator_action order by id") == [
        ("quarantine", 1, 1, "replayed"),
        ("quarantine", 10, 10, "replayed"),
    ]
    assert rows(database, "select sum(read), sum(inserted), sum(quarantined) from ops.loaded_object") == [
        (511, 500, 11)
    ]


def replays() -> list[str]:
    """Keys of all replay objects, the oldest first."""
    prefix = f"replays/{DATASET}/"
    found = boto3.client("s3").list_objects_v2(Bucket=load_settings().bucket, Prefix=prefix)["Contents"]
    return [one["Key"] for one in sorted(found, key=lambda one: one["LastModified"])]


def newest_replay() -> str:
    return replays()[-1]


def test_a_replayed_record_never_makes_a_row_older(
    database: Engine, transform_object: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, bucket = boto3.client("s3"), load_settings().bucket
    for number, title, date in (
        (1, " ", "Mon, 05 Jan 2026 00:00:00 GMT"),
        (2, "Newer", "Tue, 06 Jan 2026 00:00:00 GMT"),
    ):
        payload = {"SearchResult": {"SearchResultItems": [posting(1, title)]}}
        page = {"response": {"headers": {"date": date}, "payload": payload}, "ingest": INGEST | {"page": number}}
        client.put_object(Bucket=bucket, Key=object_keys.page_key(DATASET, RUN, 1, number), Body=orjson.dumps(page))
    transform_object(object_keys.page_key(DATASET, RUN, 1, 1))
    assert smelt("replay", "--yes") == "replayed: 1\n"
    transform_object(object_keys.page_key(DATASET, RUN, 1, 2))
    mended(monkeypatch)
    transform_object(newest_replay())
    assert rows(database, "select position_title from silver.job") == [("Newer",)]
    assert rows(database, "select closed_as from ops.quarantine") == [("superseded",)]
    assert rows(database, "select stale from ops.loaded_object order by id") == [(0,), (0,), (1,)]
