"""What a contract says of its uploads: quotes of CSV, values in keys, and files that are left out."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from services.transformer import formats
from services.transformer.content import Unreadable
from shared.config.settings import IGNORED_FILES
from shared.datasets import registry
from shared.datasets.contract.document import ContractError
from shared.datasets.dataset import Dataset
from shared.datasets.ignored_uploads import ignored_by
from tests.support.own_dataset import ID, contract, own_dataset, smelt, write
from tests.unit.test_formats import BOUNDS, stream

DAY = {"name": "day", "logicalType": "date", **smelt(fromKey=True)}


@pytest.fixture
def dataset(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Dataset]:
    properties, options = request.param
    with own_dataset(tmp_path, contract("mine", properties, **smelt(**options))):
        yield registry.dataset("mine")


def read(dataset: Dataset, body: str | bytes, key: str = "uploads/mine/x") -> list[Any]:
    content = formats.read(key, stream(body), dataset, BOUNDS)
    return [
        record.problem.message if isinstance(record, Unreadable) else json.loads(record) for record in content.records
    ]


@pytest.mark.parametrize("dataset", [([{"name": "n"}], {"csv": {"quote": "'"}})], indirect=True)
def test_values_may_have_another_quote(dataset: Dataset) -> None:
    assert read(dataset, "id,'n'\n1,'a,\nit''s'\n2,5\" disk\n3,'b'c\n4,d\n") == [
        {"id": "1", "n": "a,\nit's"},
        {"id": "2", "n": '5" disk'},
        "line 5: ',' expected after ''' (seen in line 5)",
        {"id": "4", "n": "d"},
    ]


@pytest.mark.parametrize("dataset", [([{"name": "n"}], {"csv": {"quote": "none", "delimiter": "\t"}})], indirect=True)
def test_without_quotes_every_character_is_text(dataset: Dataset) -> None:
    assert read(dataset, 'id\tn\n1\t"open\n2\tit\'s "it"\n"3"\n') == [
        {"id": "1", "n": '"open'},
        {"id": "2", "n": 'it\'s "it"'},
        "line 4: 1 values for 2 columns",
    ]


@pytest.mark.parametrize("csv", [{"quote": ""}, {"quote": "ab"}, {"quote": ";", "delimiter": ";"}])
def test_a_quote_is_one_character_and_no_delimiter(tmp_path: Path, csv: dict[str, str]) -> None:
    with pytest.raises(ContractError, match="csv"):
        _ = Dataset(write(tmp_path, contract("mine", **smelt(csv=csv)), "mine")).contract


@pytest.mark.parametrize("dataset", [([{**DAY, "primaryKey": True}, ID], {})], indirect=True)
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("id\n1\n", {"id": "1", "day": "2026-01-02"}),
        ('{"id": 1}\n{"id": 1}\n', {"id": 1, "day": "2026-01-02"}),
        ('{"id": 1, "day": "2025-05-05"}', {"id": 1, "day": "2025-05-05"}),
        ("{}\n{}\n", {"day": "2026-01-02"}),
    ],
)
def test_a_part_of_the_key_is_a_field_of_every_record(dataset: Dataset, body: str, expected: dict[str, Any]) -> None:
    assert read(dataset, body, "uploads/mine/other=1/day=2026%2D01-02/x=1.csv")[0] == expected


@pytest.mark.usefixtures("parquet_checked_in_process")
@pytest.mark.parametrize("dataset", [([DAY], {})], indirect=True)
def test_a_part_of_the_key_is_a_field_of_parquet_too(dataset: Dataset) -> None:
    body = io.BytesIO()
    pl.DataFrame({"id": ["1"]}).write_parquet(body)
    null = "uploads/mine/day=__HIVE_DEFAULT_PARTITION__/x"
    assert read(dataset, body.getvalue(), "uploads/mine/day=2026-01-02/x") == [{"day": "2026-01-02", "id": "1"}]
    assert read(dataset, body.getvalue(), null) == [{"day": None, "id": "1"}]
    assert read(dataset, body.getvalue(), "uploads/mine/x") == [{"id": "1"}]


@pytest.mark.parametrize("dataset", [([], {})], indirect=True)
def test_parts_of_the_key_that_nobody_wants_are_no_fields(dataset: Dataset) -> None:
    assert read(dataset, "id\n1\n", "uploads/mine/day=2026-01-02/x") == [{"id": "1"}]


@pytest.mark.parametrize("options", [{"fromKey": True, "path": "a.b"}, {"fromKey": True, "computed": True}])
def test_a_part_of_the_key_is_at_the_top_of_a_record(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match="fromKey is for fields at the top of a record"):
        _ = Dataset(write(tmp_path, contract("mine", [{"name": "x", **smelt(**options)}]), "mine")).contract


@pytest.mark.parametrize(
    "dataset", [([], {"include": ["*.csv", "2026/*.json"], "exclude": ["*-test.csv"]})], indirect=True
)
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.csv", None),
        ("2025/a.csv", None),
        ("2026/a.json", None),
        ("2025/a.json", "not included"),
        ("a.CSV", "not included"),
        ("a-test.csv", "*-test.csv"),
        ("_SUCCESS", "_success"),
    ],
)
def test_a_contract_chooses_its_files(dataset: Dataset, name: str, reason: str | None) -> None:
    ignored = ignored_by(f"uploads/{dataset.name}/{name}", IGNORED_FILES)
    assert (ignored or "").lower() == (reason or "")
    assert ignored_by(f"bronze/{dataset.name}/{name}", IGNORED_FILES) is None
    assert ignored_by(f"uploads/nothing/{name}", ()) is None


@pytest.mark.parametrize("key", ["uploads/", "uploads//x.json", "uploads/x.json", "uploads/nobody/x.json"])
def test_a_key_of_no_dataset_is_not_ignored(key: str) -> None:
    assert ignored_by(key, ()) is None
