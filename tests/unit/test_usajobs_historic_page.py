"""A real page of historic postings, beside an independent reading of its JSON."""

import gzip
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.transformer.input_limits import InputLimits
from services.transformer.transform import TransformResult, transform
from shared.datasets import registry
from shared.formats import silver
from tests.conftest import SHARED_DATA

Posting = dict[str, Any]

DATASET = "usajobs_historic"
OURS = (silver.RECORD_INDEX, silver.CONTENT_HASH, silver.HASH_ONLY, silver.RAW)  # columns of no field
BOUNDS = InputLimits(stored=1 << 20, expanded=1 << 20, document=1 << 20, record=1 << 20, nesting=64)
FLAGS = (
    "teleworkEligible",
    "securityClearanceRequired",
    "supervisoryStatus",
    "drugTestRequired",
    "relocationExpensesReimbursed",
    "disableApplyOnline",
)
READINGS: dict[str, Callable[[Any], object]] = {
    **dict.fromkeys(FLAGS, {"Y": True, "N": False}.__getitem__),
    **dict.fromkeys(("positionOpenDate", "positionCloseDate", "positionExpireDate"), date.fromisoformat),
    **dict.fromkeys(("minimumSalary", "maximumSalary"), lambda salary: Decimal(f"{salary:.2f}")),
}


@pytest.fixture(scope="module")
def real_page() -> list[Posting]:
    """A page as the Historic JOA API sent it: all 164 postings that opened in 2014 and 2015."""
    page = SHARED_DATA / "usajobs-historicjoa-2014-2015.json.gz"
    if not page.exists():
        pytest.skip(f"needs the real page {page.name}, which is on the developers' machines only")
    postings: list[Posting] = json.loads(gzip.decompress(page.read_bytes()))["data"]
    return postings


def refined(postings: list[Posting]) -> TransformResult:
    """What becomes of them."""
    return transform(DATASET, [json.dumps(posting).encode() for posting in postings], 0, BOUNDS)


def snake(name: str) -> str:
    """A field's name as a column's."""
    if name == "usajobsControlNumber":
        return "control_number"
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def read(name: str, value: Any) -> object:
    """A value of the real page as it must come out."""
    if value is None:
        return None
    return READINGS[name](value) if name in READINGS else (value.strip() or None if isinstance(value, str) else value)


def test_every_value_of_the_real_page_is_in_its_column(real_page: list[Posting]) -> None:
    found = refined(real_page).frame.drop(OURS).to_dicts()
    children = {
        "hiringPaths": "historic_joa_hiring_path",
        "jobCategories": "historic_joa_category",
        "positionLocations": "historic_joa_location",
    }
    expected = [
        {snake(name): read(name, value) for name, value in record.items() if name not in children}
        | {
            table: [
                {"ordinal": n, **{snake(name): read(name, value) for name, value in item.items()}}
                for n, item in enumerate(record[name], start=1)
            ]
            for name, table in children.items()
        }
        for record in real_page
    ]
    assert found == expected
    assert len(found) == 164
    assert sum(len(record[table]) for record in found for table in children.values()) == 269 + 167 + 220


def test_the_real_page_passes_the_gate_without_a_warning(real_page: list[Posting]) -> None:
    batch = refined(real_page)
    assert (batch.problems, batch.warnings) == ({}, ())


def test_the_real_page_has_known_values_only(real_page: list[Posting]) -> None:
    for field, known in registry.dataset(DATASET).known_values.items():
        assert {record[field] for record in real_page} <= known
