"""A dataset whose key has a column of each type: loaded twice, rejected, seen again, traced."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from services.loader import load as loading
from services.ops.lineage.rows import RowLineage, row_lineage
from services.transformer.stored_key import stored_key
from services.transformer.transform import HashLookup, TransformResult, no_hashes, transform
from shared import natural_key
from shared.datasets import registry
from shared.formats import quarantine, silver
from shared.formats.quarantine import Problem, Rejected
from shared.formats.silver import HASH_ONLY, Counts, SilverHeader
from shared.storage.object_id import ObjectId
from shared.storage.objects import ObjectContent
from tests.integration.test_loader import BOUNDS, MONDAY, TUESDAY, WEDNESDAY
from tests.support.own_dataset import contract, own_dataset, own_tables

pytestmark = pytest.mark.integration

DATASET = "keyed"
KEY = {  # {field: (its logical and physical type, a value)}
    "number": ("integer", "bigint", "7"),
    "small": ("integer", "integer", "-1"),
    "tiny": ("integer", "smallint", "3"),
    "word": ("string", "text", "a b"),
    "day": ("date", "date", "2009-12-18"),
    "moment": ("timestamp", "timestamp", "2009-12-18T00:00:00"),
    "clock": ("time", "time", "12:30:00"),
    "flag": ("boolean", "boolean", "true"),
    "amount": ("number", "numeric(14,2)", "1.50"),
    "degrees": ("number", "double precision", "41.5"),
    "digest": ("string", "bytea", r"\x00ff"),
    "uuid": ("string", "uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
}
RECORD = {name: value for name, (_, _, value) in KEY.items()}
TEXT = "\t".join(RECORD.values())


@dataclass
class Lake:
    """The dataset's way into the database, by hand."""

    engine: Engine
    objects: int = 0

    def load(self, batch: TransformResult, at: Any = TUESDAY) -> str:
        self.objects += 1
        header = SilverHeader(
            dataset=DATASET,
            transform_version=1,
            source=ObjectId("b", f"uploads/{DATASET}/x.json", f"{self.objects}", sequencer=f"{self.objects:02d}"),
            observed_at=at,
            counts=Counts(read=len(batch.frame), valid=len(batch.frame), quarantined=0),
        )
        with self.engine.begin() as connection:
            return loading.load_silver(connection, ObjectContent(silver.write(batch.frame, header), at, {})).outcome

    def reject(self, at: Any) -> None:
        entry = Rejected(
            dataset=DATASET,
            source=ObjectId("b", f"uploads/{DATASET}/bad.json", f"{at}"),
            transform_version=1,
            run_id=None,
            record_index=0,
            natural_key=TEXT,
            observed_at=at,
            problems=(Problem(rule="r", field="f", message="m"),),
            raw="{}",
        )
        with self.engine.begin() as connection:
            loading.load_quarantine(connection, ObjectContent(quarantine.write([entry]), at, {}))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def traced(self, key: str) -> list[RowLineage]:
        connections: Any = SimpleNamespace(database=self.engine, s3=None, settings=SimpleNamespace(bucket="b"))
        return row_lineage(connections, key, [DATASET])


@pytest.fixture
def lake(database: Engine, tmp_path: Path) -> Iterator[Lake]:
    keys = [
        {"name": name, "logicalType": logical, "physicalType": physical, "primaryKey": True}
        for name, (logical, physical, _) in KEY.items()
    ]
    content = contract(DATASET, [*keys, {"name": "title", "logicalType": "string"}])
    with own_dataset(tmp_path, content, name=DATASET), own_tables(database, DATASET):
        yield Lake(database)


def batch(*titles: str, look_up: HashLookup = no_hashes) -> TransformResult:
    return transform(DATASET, [json.dumps(RECORD | {"title": title}).encode() for title in titles], 0, BOUNDS, look_up)


def held() -> dict[str, bytes]:
    """What the loader publishes."""
    frame = batch("a").frame
    columns = [*registry.dataset(DATASET).tables.root.primary_key.columns]
    keys = frame.select([column.name for column in columns])
    return dict(zip(natural_key.texts(keys.iter_rows(), columns), frame.get_column("content_hash"), strict=True))


def test_a_record_is_loaded_twice_and_replaced_once(lake: Lake) -> None:
    assert [lake.load(batch("a")), lake.load(batch("a")), lake.load(batch("b"))] == ["loaded"] * 3
    assert lake.rows("select inserted, updated, unchanged from ops.loaded_object order by id") == [
        (1, 0, 0),
        (0, 0, 1),
        (0, 1, 0),
    ]
    assert lake.rows("select title from silver.keyed") == [("b",)]


def test_a_known_record_travels_as_a_sighting(lake: Lake) -> None:
    lake.load(batch("a"))
    known = held()
    assert [*known] == [TEXT]
    sighting = batch("a", look_up=lambda keys: [known[key] for key in keys])
    assert sighting.frame.get_column(HASH_ONLY).to_list() == [True]
    lake.load(sighting)
    assert lake.rows("select sum(unchanged), sum(inserted) from ops.loaded_object") == [(1, 1)]


def test_a_sighting_of_what_the_database_lacks_is_needed_in_full(lake: Lake) -> None:
    with pytest.raises(loading.FullObjectNeededError):
        lake.load(batch("a", look_up=lambda keys: [held()[key] for key in keys]))


def test_a_rejected_record_reaches_quarantine_and_its_entry_is_closed(lake: Lake) -> None:
    lake.reject(MONDAY)
    lake.load(batch("a"), TUESDAY)
    lake.reject(MONDAY.replace(hour=1))
    lake.reject(WEDNESDAY)
    entries = lake.rows("select natural_key, closed_as from ops.quarantine order by observed_at")
    assert entries == [(TEXT, "superseded"), (TEXT, "superseded"), (TEXT, None)]


@pytest.mark.usefixtures("lake")
def test_a_rejected_record_has_the_key_that_its_row_would_have() -> None:
    spelled = {"number": 7, "moment": "2009-12-18T02:00:00+02:00", "flag": "TRUE", "amount": "$1.5", "degrees": 41.50}
    assert stored_key(RECORD | spelled, DATASET) == TEXT
    assert stored_key(RECORD | {"day": "Dec 18 2009"}, DATASET) == TEXT.replace("2009-12-18\t", "Dec 18 2009\t")


def test_it_is_traced_by_its_key(lake: Lake) -> None:
    lake.reject(WEDNESDAY)
    assert [(one.natural_key, len(one.quarantine)) for one in lake.traced(TEXT)] == [(TEXT, 1)]
    assert lake.traced(TEXT.replace("2009-12-18", "yesterday")) == []
