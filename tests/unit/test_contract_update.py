"""`smelt datasets infer --update`: what a sample has beyond a contract."""

import difflib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from infra.authoring import update
from services.ops.main import app
from shared.datasets import consistency, registry
from shared.datasets.contract.document import SUFFIX
from shared.datasets.dataset import Dataset
from shared.datasets.silver_tables import METADATA

CONTRACT = """\
# Ours. Ask Ann before a change.
apiVersion: v3.1.0
kind: DataContract
id: mine
version: "1.2.0"  # of the rows
status: active
schema:
  - name: mine
    properties:
      - {name: id, logicalType: string, primaryKey: true}
      - name: count   # since May
        logicalType: integer
        physicalType: integer

      - {name: share, logicalType: integer}
      - {name: day, logicalType: date}
      - {name: place, logicalType: object}
      # the last one
  - name: line
    customProperties: [{property: smelt, value: {path: "lines[]"}}]
    properties: [{name: sku, logicalType: string}]

# the end
"""


@pytest.fixture(autouse=True)
def _own_registry() -> Iterator[None]:
    before = dict(registry._datasets())
    yield
    registry._datasets().clear()
    registry._datasets().update(before)


def infer(folder: Path, content: str | list[dict[str, Any]], *options: str, text: str = CONTRACT) -> str:
    """What is said; the contract is in the folder."""
    contract, sample = folder / f"mine{SUFFIX}", folder / "sample"
    contract.write_text(text)
    sample.write_text(content if isinstance(content, str) else "\n".join(map(json.dumps, content)) + "\n")
    tables = set(METADATA.tables)
    try:
        result = CliRunner().invoke(app, ["datasets", "infer", str(sample), "--update", str(contract), *options])
    finally:
        for key in set(METADATA.tables) - tables:
            METADATA.remove(METADATA.tables[key])
        consistency.check.cache_clear()
    assert result.exit_code == 0, result.output
    return result.output


def added(folder: Path) -> list[str]:
    """Lines that the contract has and did not have. Others are as they were, and in their order."""
    lines = [*difflib.ndiff(CONTRACT.splitlines(), (folder / f"mine{SUFFIX}").read_text().splitlines())]
    return [line[2:].strip() for line in lines if line.startswith("+ ")]


def test_new_fields_are_added_and_everything_else_stays(tmp_path: Path) -> None:
    record = {"id": "1", "count": 1, "place": {"lat": 1}, "unitSize": 2, "size": {"w": 1.5}, "ID": "x"}
    lines = [{"sku": "a", "price": 1.5}]
    output = infer(tmp_path, [{**record, "lines": lines, "parts": [{"n": 1}]}], "--write")
    assert "written: " in output
    assert added(tmp_path) == [
        'version: "2.0.0"  # of the rows',
        "- {name: unitSize, physicalName: unit_size, logicalType: integer}",
        "- {name: size_w, logicalType: number, customProperties: [{property: smelt, value: {path: size.w}}]}",
        "- {name: ID, physicalName: id_2, logicalType: string}",
        "properties: [{name: sku, logicalType: string}, {name: price, logicalType: number}]",
        "- name: mine_parts",
        "physicalType: table",
        "customProperties: [{property: smelt, value: {path: 'parts[]'}}]",
        "properties:",
        "- {name: n, logicalType: integer}",
    ]
    contract = Dataset(tmp_path / f"mine{SUFFIX}").contract
    assert [(table.name, len(table.columns)) for table in contract.tables] == [
        ("mine", 8),
        ("line", 2),
        ("mine_parts", 1),
    ]
    assert contract.version == 2


def test_nothing_is_written_without_being_asked(tmp_path: Path) -> None:
    output = infer(tmp_path, [{"id": "1", "colour": "red"}])
    assert "+      - {name: colour, logicalType: string}" in output
    assert added(tmp_path) == []


def test_a_sample_that_fits_changes_nothing(tmp_path: Path) -> None:
    output = infer(tmp_path, "id,count,day\n1,2,2026-01-02\n2,,\n", "--write")
    assert "nothing to add" in output
    assert added(tmp_path) == []


def test_types_are_widened_where_a_table_can_follow(tmp_path: Path) -> None:
    infer(tmp_path, "id,count,share,day\n1,3000000000,1.5,soon\n2,1,2,later\n", "--write")
    assert added(tmp_path) == [
        'version: "2.0.0"  # of the rows',
        "physicalType: bigint",
        "- {name: share, logicalType: number, physicalType: 'numeric(38,10)'}",
        "- {name: day, logicalType: string, physicalType: text}",
    ]
    assert [str(column.type) for column in Dataset(tmp_path / f"mine{SUFFIX}").contract.root.columns[1:4]] == [
        "bigint", "numeric(38,10)", "text",
    ]  # fmt: skip


def test_few_bad_values_are_noted_and_change_no_type(tmp_path: Path) -> None:
    output = infer(tmp_path, "id,day\n" + "".join(f"{n},2026-01-02\n" for n in range(9)) + "9,soon\n", "--write")
    assert "1 of 10 values do not fit date" in output.replace("\n", " ")
    assert added(tmp_path) == []


def test_the_columns_that_the_loader_added_are_declared(tmp_path: Path) -> None:
    path = tmp_path / f"mine{SUFFIX}"
    path.write_text(CONTRACT)
    columns = [("unitSize", "unit_size", "numeric"), ("size.w", "size_w", "jsonb"), ("count", "count", "text")]
    update.from_columns(Dataset(path), columns).write()
    properties = yaml.safe_load(path.read_text())["schema"][0]["properties"][-2:]
    assert properties == [
        {"name": "unitSize", "physicalName": "unit_size", "logicalType": "number", "physicalType": "numeric(38,10)"},
        {
            "name": "size_w",
            "logicalType": "object",
            "customProperties": [{"property": "smelt", "value": {"path": "size.w"}}],
        },
    ]  # fmt: skip
