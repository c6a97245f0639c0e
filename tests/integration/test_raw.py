"""Raw JSON beside the rows, only where it is asked for."""

import json

import pytest
from sqlalchemy import Engine, text

from shared.config.settings import load_settings
from tests.integration.test_loader import DATASET, posting
from tests.integration.test_sightings import Pipeline

pytestmark = pytest.mark.integration


def kept(database: Engine) -> dict[str, str]:
    """{natural key: title in the raw JSON}"""
    with database.connect() as connection:
        rows = connection.execute(
            text("select natural_key, raw from silver.raw where dataset = :name"), {"name": DATASET}
        )
        return {key: json.loads(raw)["MatchedObjectDescriptor"]["PositionTitle"] for key, raw in rows}


def test_nothing_is_kept_unless_asked_for(database: Engine) -> None:
    pipeline = Pipeline(load_settings())
    pipeline.redis.flushall()
    pipeline.put_page("raw-a.json", posting(1))
    assert kept(database) == {}


def test_what_is_kept_follows_the_rows(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMELT_KEEP_RAW", "true")
    pipeline = Pipeline(load_settings())
    pipeline.redis.flushall()
    pipeline.put_page("raw-b.json", posting(1), posting(2))
    assert kept(database) == {"1": "Smelter", "2": "Smelter"}
    pipeline.put_page("raw-c.json", posting(1), posting(2, "Caster"))
    assert kept(database) == {"1": "Smelter", "2": "Caster"}
