"""Files of strangers: the contract is inferred, and every value in Postgres equals what an independent reader reads."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from infra.authoring import infer
from services.loader import load as loading
from services.transformer import formats
from services.transformer.transform import TransformResult, transform
from shared.datasets import registry
from shared.formats import silver
from shared.formats.silver import Counts, SilverHeader
from shared.storage.object_id import ObjectId
from shared.storage.objects import ObjectContent
from tests.integration.test_loader import BOUNDS, MONDAY, TUESDAY
from tests.support.own_dataset import own_dataset, own_tables
from tests.support.vega_files import FILES

pytestmark = pytest.mark.integration

Rows = Sequence[Mapping[str, Any]]
PROVENANCE = "object_id"


class Landing:
    """A dataset out of a file, and its way into the database."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine, self.name, self._objects = engine, name, 0

    def load(self, content: str, at: datetime = MONDAY) -> TransformResult:
        """As an upload of a new object."""
        stream: Any = io.BufferedReader(io.BytesIO(content.encode()))
        records = [*formats.read_upload(stream, registry.dataset(self.name), BOUNDS).records]
        result = transform(self.name, records, 0, BOUNDS)
        self._objects += 1
        header = SilverHeader(
            dataset=self.name,
            transform_version=1,
            source=ObjectId("b", f"uploads/{self.name}/file", f"{self._objects}", sequencer=f"{self._objects:02d}"),
            observed_at=at,
            counts=Counts(read=len(records), valid=len(result.frame), quarantined=len(result.problems)),
            field_profile=result.field_profile,
        )
        with self._engine.begin() as connection:
            body = silver.write(result.frame, header)
            assert loading.load_silver(connection, ObjectContent(body, at, {})).outcome == "loaded"
        return result

    def rows(self) -> list[dict[str, Any]]:
        """In the order of the key."""
        root = registry.dataset(self.name).tables.root
        columns = [column for column in root.columns if column.name != PROVENANCE]
        with self._engine.connect() as connection:
            found = connection.execute(select(*columns).order_by(*root.primary_key.columns))
            return [dict(row) for row in found.mappings()]


@pytest.fixture
def landing(database: Engine, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Landing]:
    file = tmp_path / request.param
    file.write_text(FILES[request.param])
    inferred = infer.infer(file, None, None, None)
    with own_dataset(tmp_path, inferred.text, name=inferred.name), own_tables(database, inferred.name):
        yield Landing(database, inferred.name)


def only(file: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("landing", [file], indirect=True)


def day(text: str) -> date:
    return datetime.strptime(text, "%b %d %Y").replace(tzinfo=UTC).date()


def from_csv(file: str, types: Mapping[str, Callable[[str], Any]]) -> list[dict[str, Any]]:
    return [
        {name: types.get(name, str)(value) for name, value in row.items()}
        for row in csv.DictReader(io.StringIO(FILES[file]))
    ]


def movies() -> list[dict[str, Any]]:
    return [
        {
            "title": str(movie["Title"]),
            "us_gross": movie["US Gross"],
            "release_date": day(movie["Release Date"]),
            "mpaa_rating": movie["MPAA Rating"],
            "imdb_rating": movie["IMDB Rating"],
            "running_time_min": movie["Running Time min"],
        }
        for movie in json.loads(FILES["movies.json"])
    ]


def earthquakes() -> list[dict[str, Any]]:
    rows = []
    for feature in json.loads(FILES["earthquakes.json"])["features"]:
        own, shape = feature["properties"], feature["geometry"]
        moment = datetime(1970, 1, 1) + timedelta(milliseconds=own["time"])  # noqa: DTZ001 - UTC, as in the database
        renamed = {"mag_type": own["magType"], "properties_type": own["type"], "time": moment}
        same = {name: own[name] for name in ("mag", "place", "tz", "felt")}
        geometry = {"geometry_type": shape["type"], "geometry_coordinates": shape["coordinates"]}
        rows.append({"id": feature["id"], "type": feature["type"], **same, **renamed, **geometry})
    return rows


EXPECTED: Mapping[str, Callable[[], list[dict[str, Any]]]] = {
    "airports.csv": lambda: from_csv("airports.csv", {"latitude": float, "longitude": float}),
    "stocks.csv": lambda: from_csv("stocks.csv", {"date": day, "price": float}),
    "us-employment.csv": lambda: from_csv(
        "us-employment.csv",
        {"month": date.fromisoformat, **dict.fromkeys(("nonfarm", "private", "nonfarm_change", "government"), int)},
    ),
    "movies.json": movies,
    "earthquakes.json": earthquakes,
}


@pytest.mark.parametrize(("landing", "file"), [(file, file) for file in EXPECTED], indirect=["landing"])
def test_every_value_is_that_of_an_independent_reading_also_when_loaded_twice(landing: Landing, file: str) -> None:
    key = [column.name for column in registry.dataset(landing.name).tables.root.primary_key.columns]
    expected = sorted(EXPECTED[file](), key=lambda row: [row[name] for name in key])
    for at in (MONDAY, TUESDAY):
        assert not landing.load(FILES[file], at).problems
        assert landing.rows() == expected


@only("stocks.csv")
def test_a_bad_row_costs_itself_and_a_new_column_nothing(landing: Landing) -> None:
    header, *lines = FILES["stocks.csv"].splitlines()
    wider = [f"{header},volume", *(f"{line},7" for line in lines), "IBM,Jan 1 2000,cheap,7", "IBM,soon,1,7"]
    result = landing.load("\n".join(wider))
    assert [problem.rule for problems in result.problems.values() for problem in problems] == [
        "float_parsing",
        "datetime_format",
    ]
    assert len(landing.rows()) == len(lines)


@only("us-employment.csv")
def test_values_of_another_type_cost_their_records(landing: Landing) -> None:
    result = landing.load(FILES["us-employment.csv"].replace(",282,", ",282.5,"))
    assert [[problem.rule for problem in problems] for problems in result.problems.values()] == [["int_parsing"]]
    assert [str(row["month"]) for row in landing.rows()] == ["2006-02-01", "2006-03-01"]
