"""`smelt datasets infer`, `try` and `new`: what is written, and what is said."""

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import openpyxl
import polars as pl
import pytest
import yaml
from typer.testing import CliRunner, Result

from infra.authoring.value_types import value_type
from services.ops.main import app
from shared.datasets import consistency, registry
from shared.datasets.identifiers import identifier
from shared.datasets.silver_tables import METADATA
from shared.errors import PermanentError
from tests.support.vega_files import FILES

NESTED = [
    {"id": "1", "place": {"lat": 1.5, "address": {"city": "A"}}, "tags": ["x"], "lines": [{"sku": "a", "price": {"net": 1}, "parts": [{"n": 1}]}]},
    {"id": "2", "place": None, "tags": [], "lines": [], "other": {}},
]  # fmt: skip


@pytest.fixture(autouse=True)
def _own_registry() -> Iterator[None]:
    """Datasets and tables of a test are gone afterwards."""
    before = dict(registry._datasets())
    yield
    registry._datasets().clear()
    registry._datasets().update(before)


def smelt(*arguments: str) -> Result:
    """As in a process of its own, but for the datasets that are known."""
    tables = set(METADATA.tables)
    try:
        return CliRunner().invoke(app, ["datasets", *arguments])
    finally:
        for key in set(METADATA.tables) - tables:
            METADATA.remove(METADATA.tables[key])
        consistency.check.cache_clear()


def inferred(folder: Path, name: str, content: str | bytes, *options: str) -> dict[str, Any]:
    """The contract of a file with this content."""
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    result = smelt("infer", str(file), "--out", str(folder), *options)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    (path,) = folder.glob("*.odcs.yaml")
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return document


def columns(document: dict[str, Any], table: int = 0) -> dict[str, str]:
    """{column: its type, and its format}."""
    return {
        item.get("physicalName", item["name"]): " ".join(
            filter(None, (item["logicalType"], item.get("logicalTypeOptions", {}).get("format")))
        )
        for item in document["schema"][table]["properties"]
    }


def key(document: dict[str, Any]) -> list[str]:
    return [item["name"] for item in document["schema"][0]["properties"] if item.get("primaryKey")]


@pytest.mark.parametrize(
    ("file", "expected_key", "expected"),
    [
        ("airports.csv", ["iata"], {"iata": "string", "latitude": "number"}),
        ("stocks.csv", ["symbol", "date"], {"date": "date MMM d yyyy", "price": "number"}),
        ("us-employment.csv", ["month"], {"month": "date", "nonfarm_change": "integer"}),
        (
            "movies.json",
            ["Title"],
            {
                "title": "string",
                "us_gross": "integer",
                "release_date": "date MMM d yyyy",
                "imdb_rating": "number",
                "running_time_min": "integer",
            },
        ),
        (
            "earthquakes.json",
            ["id"],
            {
                "mag": "number",
                "time": "timestamp epoch-milliseconds",
                "felt": "integer",
                "type": "string",
                "properties_type": "string",
                "geometry_coordinates": "array",
            },
        ),
    ],
)
def test_a_sample_gives_types_formats_and_a_key(
    tmp_path: Path, file: str, expected_key: list[str], expected: dict[str, str]
) -> None:
    document = inferred(tmp_path, file, FILES[file])
    assert (key(document), columns(document)) == (expected_key, columns(document) | expected)


@pytest.mark.parametrize("file", FILES)
def test_every_contract_that_is_written_is_one_of_the_standard_and_takes_its_sample(tmp_path: Path, file: str) -> None:
    document = inferred(tmp_path, file, FILES[file])
    schema = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text())
    assert [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(document)] == []
    assert smelt("check", document["id"]).stdout == "all contracts are in order\n"
    outcome = json.loads(smelt("try", str(tmp_path / file), document["id"], "--json").stdout)
    assert (outcome["rejected"], outcome["read"]) == (0, outcome["valid"])


def test_nested_objects_are_columns_and_lists_of_objects_are_tables(tmp_path: Path) -> None:
    document = inferred(tmp_path, "orders.json", json.dumps({"data": {"orders": NESTED}}))
    assert document["customProperties"] == [{"property": "smelt", "value": {"records": "data.orders"}}]
    assert columns(document) == {
        "id": "string",
        "place_lat": "number",
        "place_address_city": "string",
        "tags": "array",
        "other": "object",
    }
    assert document["schema"][1]["name"] == "orders_lines"
    assert columns(document, 1) == {"sku": "string", "price_net": "integer", "parts": "object"}
    outcome = json.loads(smelt("try", str(tmp_path / "orders.json"), "orders", "--json").stdout)
    assert outcome["rows"][0]["orders_lines"] == [{"ordinal": 1, "sku": "a", "price_net": 1, "parts": '[{"n": 1}]'}]


def test_a_column_of_a_child_table_is_never_called_as_the_key(tmp_path: Path) -> None:
    document = inferred(tmp_path, "orders.json", json.dumps([{"id": 1, "lines": [{"id": 5}]}, {"id": 2}]))
    assert columns(document, 1) == {"lines_id": "integer"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "20"], "integer"),
        (["01", "20"], "string"),
        (["1", "2.50"], "number"),
        (["99999999999999999999"], "number"),
        (["$1,200.50", "3"], "numeric(18,2)"),
        (["true", "FALSE"], "boolean"),
        (["y", "n"], "boolean"),
        (["n"], "string"),
        (["2026-01-31"], "date"),
        (["2026-02-31"], "string"),
        (["31/01/2026"], "date dd/MM/yyyy"),
        (["01/02/2026"], "date MM/dd/yyyy"),
        (["31.01.2026 12:30"], "timestamp dd.MM.yyyy HH:mm"),
        (["2026-01-31T12:00:00Z", "2026-01-31 12:00:00"], "timestamp"),
        (["12:30", "12:30:15"], "time"),
        (["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"], "string uuid"),
        (["", " ", None], "string"),
    ],
)
def test_texts_are_of_the_narrowest_type_that_all_of_them_have(values: Sequence[Any], expected: str) -> None:
    assert str(value_type(values, "x", texts=True)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "2"], "string"),
        ([1, None, 2], "integer"),
        ([1, 2.5], "number"),
        ([1, "unknown"], "string"),
        ([True, False], "boolean"),
        ([True, "x"], "object"),
        ([1 << 64], "string"),
        ([["a"], []], "string[]"),
        ([[1], [2.5]], "number[]"),
        ([[[1]]], "object"),
        ([{"a": 1}, 5], "object"),
    ],
)
def test_values_of_json_have_the_types_of_json(values: Sequence[Any], expected: str) -> None:
    assert str(value_type(values, "x", texts=False)) == expected


def test_numbers_are_moments_only_where_their_name_is_of_one() -> None:
    moments = [1_517_966_773_840]
    assert str(value_type(moments, "updated", texts=False)) == "timestamp epoch-milliseconds"
    assert str(value_type(moments, "population", texts=False)) == "integer"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("IMDB Rating", "imdb_rating"),
        ("magType", "mag_type"),
        ("Größe (cm)", "groe_cm"),
        ("1962", "field_1962"),
        ("raw", "raw_value"),
        ("%", "field"),
    ],
)
def test_names_of_fields_become_identifiers(field: str, expected: str) -> None:
    assert identifier(field) == expected


def test_without_a_key_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="choose it with --key a,b out of kind, size"):
        inferred(tmp_path, "points.csv", "kind,size\na,1\na,1\n")
    assert not list(tmp_path.glob("*.odcs.yaml"))


def test_records_without_a_key_are_appended(tmp_path: Path) -> None:
    document = inferred(tmp_path, "points.csv", "kind,size\na,1\na,1\n", "--append")
    assert document["customProperties"] == [{"property": "smelt", "value": {"disposition": "append"}}]
    assert json.loads(smelt("try", str(tmp_path / "points.csv"), "points", "--json").stdout)["valid"] == 2


def test_a_chosen_key_stands_first_in_its_order(tmp_path: Path) -> None:
    document = inferred(tmp_path, "stocks.csv", FILES["stocks.csv"], "--key", "date,symbol")
    assert list(columns(document)) == ["date", "symbol", "price"]
    with pytest.raises(PermanentError, match="no column volume at the top of a record"):
        inferred(tmp_path, "stocks.csv", FILES["stocks.csv"], "--key", "volume")


def test_a_contract_is_replaced_only_on_demand(tmp_path: Path) -> None:
    inferred(tmp_path, "stocks.csv", FILES["stocks.csv"])
    with pytest.raises(PermanentError, match="exists"):
        inferred(tmp_path, "stocks.csv", FILES["stocks.csv"])
    assert columns(inferred(tmp_path, "stocks.csv", "symbol,volume\na,1\nb,2\n", "--replace")) == {
        "symbol": "string",
        "volume": "integer",
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "sep=;\nid;the name\n1;one\n2;two\n"),
        ("t.tsv", "Report of May\n\nid\tthe name\n1\tone\n2\ttwo\n"),
        ("t.csv.gz", gzip.compress(b"id,the name\n1,one\n2,two\n", mtime=0)),
        ("t.txt", "id|the name\n1|one\n2|two\n".encode("utf-16")),
        ("t.jsonl", '{"id": 1, "the name": "one"}\n{"id": 2, "the name": "two"}\n'),
    ],
)
def test_the_format_is_told_from_the_content(tmp_path: Path, name: str, content: str | bytes) -> None:
    assert columns(inferred(tmp_path, name, content)) == {"id": "integer", "the_name": "string"}


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("id,size\n1,NA\n2,1.5\n", {"nulls": ["NA"]}, "number"),
        ("id,size\n1,NA\n2,big\n", None, "string"),
        ("id;size\n1;1.234,5\n2;-\n", {"nulls": ["-"], "decimal": ",", "thousands": "."}, "number"),
        ("id;size;share\n1;1,5;0.5\n2;2;0.25\n", None, "string"),
        ("id,größe\n1,ä\n2,ö\n".encode("cp1252"), {"encoding": "cp1252"}, "string"),
    ],
)
def test_the_dialect_of_csv_is_told_from_its_values(
    tmp_path: Path, content: str | bytes, options: dict[str, Any] | None, expected: str
) -> None:
    document = inferred(tmp_path, "sizes.csv", content)
    told = [item["value"] for item in document.get("customProperties", [])]
    assert (told, [*columns(document).values()][1]) == ([{"csv": options}] if options else [], expected)
    assert json.loads(smelt("try", str(tmp_path / "sizes.csv"), "sizes", "--json").stdout)["valid"] == 2


def test_parquet_is_read_as_the_transformer_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "frame.parquet"
    pl.DataFrame({"id": [1, 2], "at": pl.Series([0, 1], dtype=pl.Datetime("us")), "list": [[1], []]}).write_parquet(
        file
    )
    document = inferred(tmp_path, file.name, file.read_bytes())
    assert columns(document) == {"id": "integer", "at": "timestamp", "list": "array"}


FRAME = pl.DataFrame({"id": [1, 2], "day": [date(2026, 1, 2), None]})


@pytest.mark.parametrize("name", ["frame.arrow", "frame.arrows", "frame.avro", "frame.xlsx"])
def test_other_formats_of_rows_are_read_as_the_transformer_reads_them(tmp_path: Path, name: str) -> None:
    writers: dict[str, Callable[[Any], object]] = {".arrow": FRAME.write_ipc, ".arrows": FRAME.write_ipc_stream}
    file = tmp_path / name
    if file.suffix == ".xlsx":
        book = openpyxl.Workbook()
        for row in (FRAME.columns, *FRAME.rows()):
            book.active.append(row)
        book.save(file)
    else:
        writers.get(file.suffix, FRAME.write_avro)(file)
    assert columns(inferred(tmp_path, name, file.read_bytes())) == {"id": "integer", "day": "date"}
    assert json.loads(smelt("try", str(file), "frame", "--json").stdout)["valid"] == 2


def test_a_sheet_that_is_named_is_in_the_contract(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for name, key in (("One", "a"), ("Two", "b")):
        sheet = book.create_sheet(name)
        for row in ([key, "n"], ["x", 1], ["y", 1]):
            sheet.append(row)
    book.save(tmp_path / "book.xlsx")
    assert "several sheets (One, Two)" in str(smelt("infer", str(tmp_path / "book.xlsx")).exception)
    document = inferred(tmp_path, "book.xlsx", (tmp_path / "book.xlsx").read_bytes(), "--sheet", "Two")
    assert document["customProperties"][0]["value"] == {"excel": {"sheet": "Two"}}
    assert [*columns(document)] == ["b", "n"]


def test_try_shows_what_is_rejected_and_why(tmp_path: Path) -> None:
    inferred(tmp_path, "stocks.csv", FILES["stocks.csv"])
    (tmp_path / "bad.csv").write_text("symbol,date,price,volume\nIBM,Jan 1 2000,cheap,7\nIBM,Feb 1 2000,1,7\n")
    result = smelt("try", str(tmp_path / "bad.csv"), str(tmp_path / "stocks.odcs.yaml"))
    assert result.exit_code == 1
    assert "record 0: float_parsing price" in result.stdout
    assert "2 records: 1 valid, 1 rejected" in result.stdout


def test_the_skeleton_is_a_contract_with_and_without_its_comments(tmp_path: Path) -> None:
    assert smelt("new", "mine", "--out", str(tmp_path)).exit_code == 0
    text = (tmp_path / "mine.odcs.yaml").read_text()
    schema = jsonschema_rs.validator_for(
        json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text())
    )
    lines = text.splitlines()[1:]
    uncommented = "\n".join(
        line.replace("# - ", "- ", 1).replace("#   ", "  ", 1).replace("# c", "c", 1).replace("# s", "s", 1)
        for line in lines
    )
    for document in (yaml.safe_load(text), yaml.safe_load(uncommented)):
        assert [error.message for error in schema.iter_errors(document)] == []
    (tmp_path / "mine.odcs.yaml").write_text(uncommented)
    file = tmp_path / "x.json"
    file.write_text('{"data": {"items": [{"id": "1", "Full Name": "A", "items": [{"code": "a"}]}]}}')
    outcome = json.loads(smelt("try", str(file), str(tmp_path / "mine.odcs.yaml"), "--json").stdout)
    assert outcome["rows"][0]["mine_item"] == [{"ordinal": 1, "code": "a"}]
