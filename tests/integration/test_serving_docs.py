"""docs/serving.md: its requests are answered, and its query has the rows."""

import re
from pathlib import Path

import duckdb
import polars as pl
import pytest
from sqlalchemy import Engine

from services.serving.gold import dataset_snapshots
from services.serving.gold.refresh import refresh
from tests import served
from tests.conftest import REPOSITORY
from tests.integration.pipeline import Pipeline
from tests.integration.stations import STATIONS

pytestmark = pytest.mark.integration

SERVING = (REPOSITORY / "docs" / "serving.md").read_text()
REQUESTS = re.findall(r'^curl (--head )?"\$SMELT_SERVING_URL(/\S*)"', SERVING, re.MULTILINE)


@pytest.mark.usefixtures("backends")
def test_the_requests_of_the_documentation_are_answered(request: pytest.FixtureRequest) -> None:
    gold = served.empty_gold()
    request.getfixturevalue("stations")
    agency = {"OrganizationName": "National Park Service", "DepartmentName": "Department of the Interior"}
    place = served.place("Chicago, Illinois", *served.CHICAGO) | {"CountrySubDivisionCode": "Illinois"}
    served.hold(gold, served.SEARCH, [served.posting(1, PositionLocation=[place], **agency)])
    refresh(gold, always=True)
    assert len(REQUESTS) > 10
    with served.api() as api:
        for head, path in REQUESTS:
            answer = api.head(path) if head else api.get(path)
            assert answer.status_code == 200, f"{path}: {answer.text}"
            assert '"postings":[]' not in answer.text.replace(" ", ""), path
            assert not answer.text.startswith('{"rows":[]'), path
    gold.dispose()


def test_the_query_of_the_documentation_has_the_rows(database: Engine, stations: Pipeline, tmp_path: Path) -> None:
    s3, bucket = stations.connections.s3, stations.connections.settings.bucket
    assert dataset_snapshots.export(database, s3, bucket)
    written = dataset_snapshots.key(STATIONS, "station")
    (tmp_path / written).parent.mkdir(parents=True)
    s3.download_file(bucket, written, str(tmp_path / written))
    (query,) = re.findall(r"^```sql\n(.*?)^```$", SERVING, re.MULTILINE | re.DOTALL)
    found = duckdb.execute(query.replace("s3://BUCKET", str(tmp_path))).fetchall()
    assert found == [("Chicago Midway", 41.78), ("Chicago O'Hare", 41.98)]
    frame = pl.read_parquet(tmp_path / written)
    assert frame.columns == ["station", "name", "opened", "latitude", "longitude"]
