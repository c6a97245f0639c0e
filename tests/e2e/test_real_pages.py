"""Real pages, as their sources sent them: every value of theirs is in Postgres, beside an independent reading."""

import gzip
import json
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import SHARED_DATA
from tests.e2e.conftest import Deployment
from tests.e2e.test_extraction import ENGINE_COLUMNS, LISTS, expected_rows, first_difference, text

pytestmark = pytest.mark.e2e

HISTORIC_PAGE = "usajobs-historicjoa-2014-2015.json.gz"
HISTORIC_LISTS = {
    "historic_joa_hiring_path": "hiringPaths",
    "historic_joa_category": "jobCategories",
    "historic_joa_location": "positionLocations",
}
# What Postgres must give back for a value of the Historic API, by the type of its column.
READINGS: dict[str, Callable[[Any], Any]] = {
    "text": text,
    "bigint": int,
    "integer": int,
    "boolean": {"Y": True, "N": False}.__getitem__,
    "numeric": lambda salary: Decimal(f"{salary:.2f}"),
    "date": date.fromisoformat,
}

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def search_postings(deployment: Deployment, real_search_page: bytes) -> Rows:
    """The postings of the page that was dropped."""
    answer = json.loads(gzip.decompress(real_search_page))["response"]["payload"]
    loaded = deployment.ledger(deployment.upload("a real page.json.gz", gzip.compress(json.dumps(answer).encode())))
    assert (loaded["read"], loaded["quarantined"]) == (25, 0)
    items: Rows = answer["SearchResult"]["SearchResultItems"]
    return items


@pytest.fixture(scope="module")
def historic_postings(deployment: Deployment) -> Rows:
    """The postings of the page that was dropped, all 164 that opened in 2014 and 2015."""
    page = SHARED_DATA / HISTORIC_PAGE
    if not page.exists():
        pytest.skip(f"needs the real page {page.name}, which is on the developers' machines only")
    loaded = deployment.ledger(deployment.upload("a real page.json.gz", page.read_bytes(), "usajobs_historic"))
    assert (loaded["read"], loaded["inserted"], loaded["quarantined"]) == (164, 164, 0)
    postings: Rows = json.loads(gzip.decompress(page.read_bytes()))["data"]
    return postings


def columns_of(deployment: Deployment, table: str) -> dict[str, str]:
    """{column: type}, without those that are the engine's own."""
    described = deployment.rows(
        "select column_name, data_type from information_schema.columns where table_schema = 'silver'"
        " and table_name = %s",
        table,
    )
    return {c["column_name"]: c["data_type"] for c in described if c["column_name"] not in ENGINE_COLUMNS}


def stored(deployment: Deployment, table: str, columns: dict[str, str], numbers: list[int]) -> Rows:
    """The table's rows of these postings."""
    query = f"select {', '.join(columns)} from silver.{table} where control_number = any(%s)"  # noqa: S608
    return sorted(deployment.rows(query, numbers), key=_place)


def _place(row: dict[str, Any]) -> tuple[int, int]:
    return row["control_number"], row.get("ordinal", 0)


@pytest.mark.parametrize("table", ["job", "job_details", *LISTS])
def test_every_value_of_the_real_search_page_is_in_its_column(
    deployment: Deployment, search_postings: Rows, table: str
) -> None:
    columns = columns_of(deployment, table)
    expected = sorted(expected_rows(table, columns, search_postings), key=_place)
    actual = stored(deployment, table, columns, [int(item["MatchedObjectId"]) for item in search_postings])
    assert len(actual) == len(expected)
    assert actual == expected, first_difference(actual, expected)


def historic_rows(table: str, columns: dict[str, str], postings: Rows) -> Rows:
    """What a table must hold, read from the page's own JSON."""
    rows = []
    for posting in postings:
        number = posting["usajobsControlNumber"]
        sources = posting[HISTORIC_LISTS[table]] if table in HISTORIC_LISTS else [posting]
        for ordinal, source in enumerate(sources, start=1):
            fields = {re.sub("([A-Z])", r"_\1", name).lower(): value for name, value in source.items()}
            fields |= {"control_number": number, "ordinal": ordinal}
            rows.append({name: read(kind, fields[name]) for name, kind in columns.items()})
    return sorted(rows, key=_place)


def read(kind: str, value: Any) -> Any:
    """A value as its column has it."""
    return None if value is None else READINGS[kind](value)


@pytest.mark.parametrize("table", ["historic_joa", *HISTORIC_LISTS])
def test_every_value_of_the_real_historic_page_is_in_its_column(
    deployment: Deployment, historic_postings: Rows, table: str
) -> None:
    columns = columns_of(deployment, table)
    expected = historic_rows(table, columns, historic_postings)
    actual = stored(deployment, table, columns, [item["usajobsControlNumber"] for item in historic_postings])
    assert len(actual) == len(expected) > 0
    assert actual == expected, first_difference(actual, expected)


@pytest.mark.parametrize("table", ["historic_joa", *HISTORIC_LISTS])
def test_every_field_of_the_real_historic_page_has_a_column(
    deployment: Deployment, historic_postings: Rows, table: str
) -> None:
    columns = columns_of(deployment, table)
    sources = [
        s for one in historic_postings for s in (one[HISTORIC_LISTS[table]] if table in HISTORIC_LISTS else [one])
    ]
    names = {re.sub("([A-Z])", r"_\1", name).lower() for source in sources for name in source}
    lists = {re.sub("([A-Z])", r"_\1", name).lower() for name in HISTORIC_LISTS.values()}
    assert names - lists - columns.keys() == ({"usajobs_control_number"} if table == "historic_joa" else set())
