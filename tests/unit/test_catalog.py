"""The contracts of smelt's own datasets give the tables, rows and content hashes that hand-written modules gave before.

`catalog_golden.json` was made with those modules, at commit e6c54d8, from records of the simulator.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from services.transformer.input_limits import InputLimits
from services.transformer.transform import transform
from shared.datasets import registry

GOLDEN: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("catalog_golden.json").read_text())
BOUNDS = InputLimits(stored=2**20, expanded=2**20, document=2**20, record=2**20, nesting=50)


def plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


@pytest.mark.parametrize("dataset", GOLDEN)
def test_rows_and_content_hashes_are_the_same(dataset: str) -> None:
    records = [json.dumps(record).encode() for record in GOLDEN[dataset]["records"]]
    result = transform(dataset, records, 0, BOUNDS)
    assert result.problems == {}
    assert json.loads(json.dumps(result.frame.to_dicts(), default=plain)) == GOLDEN[dataset]["rows"]


@pytest.mark.parametrize("dataset", GOLDEN)
def test_tables_are_the_same(dataset: str) -> None:
    tables = registry.dataset(dataset).tables.all
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    statements = [" ".join(str(CreateTable(table).compile(dialect=dialect)).split()) for table in tables]
    assert sorted(statements) == GOLDEN[dataset]["tables"]
