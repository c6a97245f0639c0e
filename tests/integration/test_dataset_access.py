"""Who may read which columns of a dataset: the read API and the role behind it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from services.ops.datasets import model
from shared.database import upgrade
from shared.datasets import registry
from shared.datasets.dataset import Dataset
from tests import served
from tests.integration.dataset_reading import dataset, rows
from tests.support.own_dataset import contract, smelt

pytestmark = pytest.mark.integration

SECRET = {"name": "ssn", "classification": "Restricted"}


@pytest.mark.parametrize(
    "withheld",
    [
        SECRET,
        {"name": "ssn", "logicalType": "object", "properties": [{"name": "digits", "classification": "confidential"}]},
        {"name": "ssn", **smelt(readable=False)},
    ],
)
def test_a_classified_column_is_read_by_nobody(readable: Engine, tmp_path: Path, withheld: dict[str, Any]) -> None:
    content = contract("second", [withheld, {"name": "city"}], **smelt(evolution="rescue"))
    with dataset(readable, tmp_path, content, {"id": "a", "city": "x", "other": 1}), served.api() as api:
        assert rows(api, dataset="other") == [{"id": "a", "city": "x"}]
        assert api.get("/v1/datasets/other").json()["tables"][0]["withheld"] == ["_rescued", "ssn"]
        assert api.get("/v1/datasets/other/rows", params={"ssn": "1"}).status_code == 422
        assert api.get("/v1/datasets/other/rows", params={"format": "csv"}).text == "id,city\na,x\n"
        refused("select ssn from silver.second")
        refused("select _rescued from silver.second")


def test_an_evolved_column_is_read_when_the_contract_declares_it(readable: Engine, tmp_path: Path) -> None:
    content = contract("second", **smelt(evolution="evolve"))
    with dataset(readable, tmp_path, content, {"id": "a", "town": "x"}), served.api() as api:
        with readable.connect() as connection:
            assert connection.scalar(text("select town from silver.second")) == "x"
        assert rows(api, "other") == [{"id": "a", "_rescued": None}]
        refused("select town from silver.second")
        _redefine(tmp_path, contract("second", [{"name": "town"}], **smelt(evolution="evolve")))
        upgrade.apply_datasets(readable.url.render_as_string(hide_password=False), ["other"])
        assert rows(api, "other") == [{"id": "a", "town": "x", "_rescued": None}]


def test_a_contract_may_let_a_classified_column_be_read(readable: Engine, tmp_path: Path) -> None:
    content = contract("second", [SECRET | smelt(readable=True)], **smelt(evolution="rescue"))
    with dataset(readable, tmp_path, content, {"id": "a", "ssn": "1", "other": 2}), served.api() as api:
        assert rows(api, dataset="other") == [{"id": "a", "ssn": "1", "_rescued": {"other": 2}}]


def test_a_dataset_whose_key_is_withheld_is_not_served(readable: Engine, tmp_path: Path) -> None:
    content = contract("second", [SECRET | {"primaryKey": True}, {"name": "city"}])
    with dataset(readable, tmp_path, content, {"ssn": "1"}), served.api() as api:
        assert api.get("/v1/datasets/other").json()["tables"] == []
        answer = api.get("/v1/datasets/other/rows")
        assert (answer.status_code, "its key is withheld" in answer.json()["detail"]) == (403, True)
        refused("select ssn from silver.second_last_seen")


def test_a_column_that_is_classified_later_is_no_longer_read(readable: Engine, tmp_path: Path) -> None:
    plain = {"name": "ssn"}
    url = readable.url.render_as_string(hide_password=False)
    with dataset(readable, tmp_path, contract("second", [plain]), {"id": "a", "ssn": "1"}):
        with served.reading().connect() as reader:
            assert reader.scalar(text("select ssn from silver.second")) == "1"
        _redefine(tmp_path, contract("second", [SECRET]))
        pending = [(change.table, change.text) for change in model.pending(readable, ["other"])]
        assert pending == [("second", "smelt_read may no longer select ssn")]
        upgrade.apply_datasets(url, ["other"])
        assert model.pending(readable, ["other"]) == []
        refused("select ssn from silver.second")


def _redefine(folder: Path, content: Mapping[str, Any]) -> None:
    """Another contract for the same dataset in this process."""
    path = folder / "other.odcs.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    metadata = registry.dataset("other").tables.root.metadata
    for table in registry.dataset("other").tables.all:
        metadata.remove(table)
    registry.register(Dataset(path))


def test_readers_have_no_more_than_the_columns_of_contracts(readable: Engine, tmp_path: Path) -> None:
    with dataset(readable, tmp_path, contract("second"), {"id": "a"}):
        refused("select * from silver.raw")
        refused("delete from silver.second")
        refused("select object_id from silver.second")


def refused(statement: str) -> None:
    reader = served.reading()
    with pytest.raises(DBAPIError, match=r"permission denied|read-only"), reader.begin() as connection:
        connection.execute(text(statement))
    reader.dispose()
