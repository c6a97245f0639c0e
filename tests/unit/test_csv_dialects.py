"""What a contract says about CSV files: their marks, their encoding, and lines that are no records."""

from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any

import pytest

from services.transformer import formats
from services.transformer.input_limits import InputLimits
from services.transformer.transform import transform
from shared.datasets import registry
from shared.errors import PermanentError
from tests.support.own_dataset import contract, own_dataset

LIMITS = InputLimits(stored=2**20, expanded=2**20, document=2**20, record=2**20, nesting=50)
COLUMNS = [
    {"name": "name", "logicalType": "string"},
    {"name": "size", "logicalType": "number"},
    {"name": "price", "logicalType": "number", "physicalType": "numeric(14,2)"},
]


def read(folder: Path, content: bytes, **dialect: Any) -> list[tuple[Any, ...] | str]:
    """Of each record its values, or the rule that it breaks."""
    options = [{"property": "smelt", "value": {"csv": dialect}}]
    with own_dataset(folder, contract("mine", COLUMNS, customProperties=options)):
        stream: Any = BufferedReader(BytesIO(content))
        records = [*formats.read_upload(stream, registry.dataset("mine"), LIMITS).records]
        result = transform("mine", records, 0, LIMITS)
        rows = {
            row["record_index"]: (row["id"], row["name"], row["size"], row["price"]) for row in result.frame.to_dicts()
        }
        rejected = {index: problems[0].rule for index, problems in result.problems.items()}
        return [(rows | rejected)[index] for index in range(len(records))]


@pytest.mark.parametrize(
    ("content", "dialect", "expected"),
    [
        (b"id~name~size~price\n1~a~1.5~2\n", {"delimiter": "~"}, [("1", "a", 1.5, 2)]),
        ("id,name\n1,Größe €\n".encode("cp1252"), {"encoding": "windows-1252"}, [("1", "Größe €", None, None)]),
        (b"id,name,size\n1,NA,-\n2,x,n/a\n", {"nulls": ["NA", "-"]}, [("1", None, None, None), "float_parsing"]),
        (b"id,id,x\nid,name\n1,a\n", {"skip": 1}, [("1", "a", None, None)]),
        (b"# id,name,size\nid,name\n# none\n1,a\n#2,b\n", {"comment": "#"}, [("1", "a", None, None)]),
        (b'id,name\n1,"a\n# text"\n', {"comment": "#"}, [("1", "a\n# text", None, None)]),
        (b"id;name;size;price\n1;1,5;1,5;1.234,50\n", {"decimal": ",", "thousands": "."}, [("1", "1,5", 1.5, 1234.5)]),
        (b"id;size\n1;1.5\n2;1,5\n", {"decimal": ","}, ["float_parsing", ("2", None, 1.5, None)]),
        (b"id;size\n1;1 234.5\n", {"thousands": " "}, [("1", None, 1234.5, None)]),
    ],
)
def test_files_are_read_as_their_contract_says_they_are_written(
    tmp_path: Path, content: bytes, dialect: dict[str, Any], expected: list[Any]
) -> None:
    assert read(tmp_path, content, **dialect) == expected


@pytest.mark.parametrize("dialect", [{"encoding": "klingon"}, {"delimiter": "::"}, {"decimal": "-"}, {"quotes": "'"}])
def test_a_dialect_that_cannot_be_is_refused_with_its_place(tmp_path: Path, dialect: dict[str, Any]) -> None:
    with pytest.raises(PermanentError, match=f"custom property smelt: csv.{next(iter(dialect))}"):
        read(tmp_path, b"id\n1\n", **dialect)


def test_a_mark_has_one_meaning(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"decimal and thousands are both '\.'"):
        read(tmp_path, b"id\n1\n", thousands=".")
