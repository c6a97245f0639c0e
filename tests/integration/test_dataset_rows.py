"""`/v1/datasets`: rows of any dataset over HTTP, as the role that only reads sees them."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, text

from services.serving.api import result_stream
from services.serving.datasets import catalog, row_page, row_query
from services.serving.gold import db_role
from shared.datasets import registry
from shared.errors import PermanentError
from shared.storage import object_keys
from tests import served
from tests.integration.dataset_reading import dataset, exact, rows
from tests.integration.pipeline import Pipeline
from tests.support.own_dataset import contract, own_dataset, smelt

pytestmark = pytest.mark.integration

CHILD = {
    "name": "typed_reading",
    "properties": [{"name": "value", "logicalType": "integer"}],
    **smelt(path="readings[]"),
}
# {column: its types}, and values of it for two records as Postgres shows them in JSON.
TYPES: dict[str, dict[str, Any]] = {
    "whole": {"logicalType": "integer"},
    "medium": {"logicalType": "integer", "physicalType": "integer"},
    "small": {"logicalType": "integer", "physicalType": "smallint"},
    "word": {"logicalType": "string"},
    "degrees": {"logicalType": "number"},
    "amount": {"logicalType": "number", "physicalType": "numeric(14,2)"},
    "precise": {"logicalType": "number", "physicalType": "numeric(38,20)"},
    "flag": {"logicalType": "boolean"},
    "day": {"logicalType": "date"},
    "moment": {"logicalType": "timestamp"},
    "instant": {"logicalType": "timestamp", "physicalType": "timestamptz"},
    "clock": {"logicalType": "time"},
    "uuid": {"logicalType": "string", "physicalType": "uuid"},
    "digest": {"logicalType": "string", "physicalType": "bytea"},
    "words": {"logicalType": "array", "items": {"logicalType": "string"}},
    "numbers": {"logicalType": "array", "items": {"logicalType": "integer"}},
    "amounts": {"logicalType": "array", "items": {"logicalType": "number", "physicalType": "numeric(10,2)"}},
    "days": {"logicalType": "array", "items": {"logicalType": "date"}},
    "anything": {"logicalType": "object"},
}
PROPERTIES = [{"name": name, **kind} for name, kind in TYPES.items()]
FULL = {
    "id": "a",
    "whole": 9007199254740993,
    "medium": -7,
    "small": 3,
    "word": '=1+1, "x"; ä',
    "degrees": 0.1,
    "amount": "1200.50",
    "precise": "123456789012345678.00000000000000000001",
    "flag": True,
    "day": "2009-12-18",
    "moment": "2009-12-18T12:30:00.25",
    "instant": "2009-12-18T12:30:00+02:00",
    "clock": "12:30:00",
    "uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "digest": r"\x00ff",
    "words": ["=x", "y"],
    "numbers": [1, 2],
    "amounts": ["0.10", "2.00"],
    "days": ["2009-12-18"],
    "anything": {"n": [1.50, None, {"a": "b"}]},
    "readings": [{"value": 5}, {"value": 6}],
}
EMPTY = {"id": "b", "readings": []}


@pytest.fixture(scope="module")
def pipeline(readable: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """With a dataset `mine` that has a column of each type, and two records."""
    folder = tmp_path_factory.mktemp("typed")
    with dataset(readable, folder, contract("typed", PROPERTIES, CHILD), FULL, EMPTY, name="mine") as pipeline:
        yield pipeline


@pytest.fixture(scope="module")
def api(pipeline: Pipeline) -> Iterator[httpx.Client]:
    assert pipeline
    with served.api() as client:
        yield client


def independent(readable: Engine, query: str) -> list[Any]:
    """Rows as Postgres itself writes them as JSON."""
    with readable.connect() as connection:
        connection.execute(text("set timezone = 'UTC'"))
        return [exact(row) for row in connection.scalars(text(f"select to_jsonb(item)::text from ({query}) as item"))]  # noqa: S608


def test_values_of_every_type_are_those_that_postgres_has(api: httpx.Client, readable: Engine) -> None:
    columns = ", ".join(("id", *TYPES))
    expected = independent(readable, f"select {columns} from silver.typed order by id")  # noqa: S608
    assert len(expected) == 2
    assert expected[0]["amount"] == Decimal("1200.50")
    found = rows(api)
    for row in found:  # Postgres writes fractions without zeros at their end, Python in threes
        row["moment"] = row["moment"] and row["moment"].removesuffix("0000")
    assert found == expected


@pytest.mark.parametrize("column", [*TYPES])
def test_a_filter_by_a_value_of_any_type_has_the_rows_of_the_same_query(api: httpx.Client, column: str) -> None:
    value = FULL[column]
    if TYPES[column]["logicalType"] == "object":
        assert api.get("/v1/datasets/mine/rows", params={column: "x"}).status_code == 422
    else:
        given = value[0] if isinstance(value, list) else str(value)
        assert [row["id"] for row in rows(api, select="id", **{column: given})] == ["a"]
    empty = [] if column == "words" else ["b"]  # a list of texts is never null
    assert [row["id"] for row in rows(api, **{f"{column}.null": "true"})] == empty


@pytest.mark.parametrize(
    ("params", "ids"),
    [
        ({}, ["a", "b"]),
        ({"id": ["a", "b"]}, ["a", "b"]),
        ({"id": ["a", "b"], "medium": "-7"}, ["a"]),
        ({"id.ne": "a"}, ["b"]),
        ({"medium.ne": "-7"}, ["b"]),
        ({"amount.gt": "1200.50"}, []),
        ({"amount.gte": "1200.50", "amount.lte": "1200.50"}, ["a"]),
        ({"day.lt": "2009-12-19", "day.gt": "2009-12-17"}, ["a"]),
        ({"instant": "2009-12-18T10:30:00Z"}, ["a"]),
        ({"numbers": "3"}, []),
    ],
)
def test_filters_are_combined(api: httpx.Client, params: dict[str, Any], ids: list[str]) -> None:
    assert [row["id"] for row in rows(api, **params)] == ids


@pytest.mark.parametrize(
    ("params", "status", "words"),
    [
        ({"colour": "red"}, 422, "typed has no column 'colour'; columns: id, whole"),
        ({"select": "id,colour"}, 422, "typed has no column 'colour'; columns: id, whole"),
        ({"object_id": "1"}, 422, "no column 'object_id'"),
        ({"medium": "many"}, 422, "medium: not a value of type integer"),
        ({"small.gt": "32768"}, 422, "small.gt: not a value of type smallint"),
        ({"day": "20091218"}, 422, "is not an ISO 8601 date"),
        ({"medium": ""}, 422, "medium: no value; rows without one: medium.null=true"),
        ({"medium.like": "1"}, 422, "no operator 'like'; operators: eq, ne"),
        ({"word": "a\0b"}, 422, "NUL"),
        ({"table": "job"}, 422, "table: mine has typed, typed_reading, typed_last_seen"),
        ({"limit": "1001"}, 422, "limit"),
        ({"cursor": "AAAA"}, 422, "cursor"),
        ({"format": "csv", "limit": "1"}, 422, "limit and cursor are for JSON"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    api: httpx.Client, params: dict[str, str], status: int, words: str
) -> None:
    answer = api.get("/v1/datasets/mine/rows", params=params)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    "hostile", ["'; drop table silver.typed; --", "a' or true --", '"', "%", "\\", "\u0000", "é" * 300]
)
@pytest.mark.parametrize("param", ["word", "word.gte", "words", "select", "table", "cursor", "digest", "{}", "id{}"])
def test_sql_in_a_request_is_only_text(api: httpx.Client, param: str, hostile: str) -> None:
    answer = api.get("/v1/datasets/mine/rows", params={param.format(hostile): hostile})
    assert answer.status_code in {200, 422}
    expected = [row["id"] for row in [FULL] if str(row["word"]) >= hostile] if param == "word.gte" else []
    assert answer.status_code == 422 or [row["id"] for row in answer.json()["rows"]] == expected
    assert len(rows(api)) == 2


def test_an_unknown_dataset_is_refused_with_those_there_are(api: httpx.Client) -> None:
    for path in ("/v1/datasets/nothing", "/v1/datasets/nothing/rows"):
        answer = api.get(path)
        assert answer.status_code == 404
        assert "usajobs_search" in answer.json()["detail"]


def test_child_tables_are_read_by_their_records_key(api: httpx.Client) -> None:
    readings = [{"id": "a", "ordinal": 1, "value": 5}, {"id": "a", "ordinal": 2, "value": 6}]
    assert rows(api, table="typed_reading", id="a") == readings
    assert rows(api, table="typed_reading", id="b") == []
    assert [row["inactive_since"] for row in rows(api, table="typed_last_seen")] == [None, None]


def test_a_selection_has_its_columns_in_its_order(api: httpx.Client) -> None:
    assert [list(row) for row in rows(api, select="small,whole")] == [["small", "whole"]] * 2


def test_the_list_describes_tables_and_columns(api: httpx.Client) -> None:
    described = {item["name"]: item for item in api.get("/v1/datasets").json()}
    assert api.get("/v1/datasets/mine").json() == described["mine"]
    typed, reading, last_seen = described["mine"]["tables"]
    assert [column["name"] for column in typed["columns"]] == ["id", *TYPES]
    assert typed["columns"][0] | {"description": ""} == {
        "name": "id",
        "type": "text",
        "description": "",
        "key": True,
        "required": True,
    }
    assert [column["name"] for column in reading["columns"]] == ["id", "ordinal", "value"]
    assert "observed_at" in [column["name"] for column in last_seen["columns"]]
    descriptions = [column["description"] for column in described["usajobs_search"]["tables"][0]["columns"]]
    assert any(descriptions)


def test_files_have_the_rows_of_all_types(api: httpx.Client, readable: Engine) -> None:
    answers = {kind: api.get("/v1/datasets/mine/rows", params={"format": kind}).content for kind in ("csv", "parquet")}
    frame = pl.read_parquet(io.BytesIO(answers["parquet"])).sort("id")
    (row,) = frame.filter(pl.col("id") == "a").to_dicts()
    with readable.connect() as connection:
        wanted = dict(connection.execute(text("select * from silver.typed where id = 'a'")).mappings().one())
    del wanted["object_id"]
    wanted |= {"uuid": str(wanted["uuid"]), "digest": bytes(wanted["digest"])}
    assert json.loads(row.pop("anything")) == wanted.pop("anything")
    assert row == wanted
    by_id = {item["id"]: item for item in csv.DictReader(io.StringIO(answers["csv"].decode()))}
    assert by_id["a"]["word"] == f"'{FULL['word']}"
    assert by_id["a"]["words"] == "'=x; y"
    assert by_id["a"]["digest"] == r"\x00ff"
    assert by_id["a"]["amounts"] == "0.10; 2.00"
    assert set(by_id["b"].values()) - {"b"} == {""}


def test_pages_have_every_row_once_in_the_order_of_a_key_of_every_type(readable: Engine, tmp_path: Path) -> None:
    keys = ["word", "whole", "medium", "small", "degrees", "amount", "flag", "day", "moment", "clock", "uuid", "digest"]
    properties = [{"name": name, **TYPES[name], "primaryKey": True} for name in keys]
    words = ["a", "B", "ä", "\\", "'", "a b"]
    records = [
        {name: FULL[name] for name in keys} | {"word": word, "degrees": degrees, "flag": flag}
        for word in words
        for degrees in (-1e300, 0.1, 0.30000000000000004)
        for flag in (True, False)
    ]
    with dataset(readable, tmp_path, contract("second", properties), *records), served.api() as api:
        found, cursor = [], None
        while True:
            answer = api.get("/v1/datasets/other/rows", params={"limit": 5} | ({"cursor": cursor} if cursor else {}))
            page = exact(answer.text)
            found += page["rows"]
            if (cursor := page["next"]) is None:
                break
        expected = independent(readable, f"select {', '.join(keys)} from silver.second order by {', '.join(keys)}")  # noqa: S608
    assert len(found) == len(records)
    assert [(row["word"], row["degrees"], row["flag"]) for row in found] == [
        (row["word"], row["degrees"], row["flag"]) for row in expected
    ]


def test_appended_records_are_paged_by_their_id(readable: Engine, tmp_path: Path) -> None:
    content = contract("second", [{"name": "price", "logicalType": "integer"}], **smelt(disposition="append"))
    content["schema"][0]["properties"][0] = {"name": "id"}
    with dataset(readable, tmp_path, content, *({"id": "x", "price": 1} for _ in range(3))), served.api() as api:
        first = api.get("/v1/datasets/other/rows", params={"limit": 2}).json()
        second = api.get("/v1/datasets/other/rows", params={"limit": 2, "cursor": first["next"]}).json()
    assert (len(first["rows"]), len(second["rows"]), second["next"]) == (2, 1, None)
    assert len({row["record_id"] for row in first["rows"] + second["rows"]}) == 3


def test_versions_are_paged_by_their_time(readable: Engine, tmp_path: Path) -> None:
    content = contract("second", [{"name": "price", "logicalType": "integer"}], **smelt(disposition="history"))
    with dataset(readable, tmp_path, content, {"id": "x", "price": 1}) as pipeline, served.api() as api:
        with readable.begin() as connection:  # a second has passed
            for table in (
                "second_last_seen set observed_at = observed_at",
                "second_history set valid_from = valid_from",
            ):
                connection.execute(text(f"update silver.{table} - interval '1 second 5 ms'"))
        pipeline.put_body(object_keys.upload_key("other", "b.jsonl"), b'{"id": "x", "price": 2}')
        pipeline.work()
        first, second = rows(api, "other", table="second_history")
        assert (first["price"], second["price"], second["valid_to"]) == (1, 2, None)
        assert first["valid_to"] == second["valid_from"]
        page = api.get("/v1/datasets/other/rows", params={"table": "second_history", "limit": 1}).json()
        rest = api.get(
            "/v1/datasets/other/rows", params={"table": "second_history", "limit": 1, "cursor": page["next"]}
        ).json()
        assert (page["rows"], rest["rows"], rest["next"]) == ([first], [second], None)


@pytest.mark.usefixtures("pipeline")
def test_a_page_is_read_by_the_index_of_the_key(readable: Engine) -> None:
    """Also behind a cursor, of a key of two columns: the rows before it are not read."""
    table = catalog.table(registry.dataset("mine"), "typed_reading")
    cursor = row_query.make_cursor(table, ["a", "1"])
    query = row_query.page(table, [*table.columns.values()], [], cursor).limit(3)
    reader = served.reading()
    with reader.connect() as connection:
        statement = query.compile(readable, compile_kwargs={"literal_binds": True})
        plan = "\n".join(connection.execute(text(f"explain {statement}")).scalars())
    reader.dispose()
    assert "Index Cond: (ROW(id, ordinal) > ROW('a'::text, 1))" in plan
    assert "Sort" not in plan


def test_row_groups_of_wide_rows_are_small(tmp_path: Path) -> None:
    schema = pl.Schema({"wide": pl.String()})
    frames = [pl.DataFrame({"wide": ["x" * 1_000_000] * 10}, schema=schema) for _ in range(8)]
    result_stream.parquet(schema, iter(frames), tmp_path / "wide.parquet")
    file = pq.ParquetFile(tmp_path / "wide.parquet")
    assert file.metadata.num_rows == 80
    assert max(file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)) <= 33


def test_serving_does_not_start_with_an_invalid_contract(readable: Engine, tmp_path: Path) -> None:
    content = contract("second", [{"name": "price", "logicalType": "money"}])
    with own_dataset(tmp_path, content, name="other"), pytest.raises(PermanentError, match=r"other\.odcs\.yaml.*money"):
        db_role.grant_read_access(readable)


def test_a_page_of_large_rows_ends_early(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_page, "MAX_BYTES", 10)
    first = api.get("/v1/datasets/mine/rows").json()
    second = api.get("/v1/datasets/mine/rows", params={"cursor": first["next"]}).json()
    assert [row["id"] for row in first["rows"] + second["rows"]] == ["a", "b"]
    assert second["next"] is None


def test_a_cursor_is_for_its_table(api: httpx.Client) -> None:
    cursor = api.get("/v1/datasets/mine/rows", params={"limit": 1}).json()["next"]
    answer = api.get("/v1/datasets/mine/rows", params={"table": "typed_last_seen", "cursor": cursor})
    assert (answer.status_code, answer.json()["detail"]) == (422, "cursor: belongs to another table")
