"""Bounds on records that anybody may drop into the bucket."""

from typing import Any

import pytest

from services.transformer.bounds import Bounds
from services.transformer.transform import Batch, transform

BOUNDS = Bounds(stored=1 << 20, expanded=1 << 20, record=100_000, nesting=64)


def posting(number: str = "1", unknown: object = None, **fields: Any) -> dict[str, Any]:
    """A posting with just enough in it to be valid."""
    descriptor = {"PositionTitle": "Engineer", **fields}
    return {"MatchedObjectId": number, "MatchedObjectDescriptor": descriptor, "Unknown": unknown}


def batch(*records: object) -> Batch:
    """What becomes of these records."""
    return transform("usajobs_search", records, BOUNDS)


def nested(levels: int) -> list[Any]:
    """Lists in lists, so many levels deep."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(("levels", "rule"), [(40, None), (80, "nesting"), (300, "nesting"), (1_500, "nesting")])
def test_a_record_nested_too_deep_is_rejected_and_its_neighbours_are_not(levels: int, rule: str | None) -> None:
    made = batch(posting("1"), posting("2", nested(levels)), posting("3"))
    assert {index: problems[0].rule for index, problems in made.problems.items()} == ({1: rule} if rule else {})


def test_a_wide_record_is_not_a_deep_one() -> None:
    assert batch(posting(PositionLocation=[{"LocationName": str(n)} for n in range(500)])).problems == {}


def test_a_record_too_large_is_rejected() -> None:
    made = batch(posting("1"), posting("2", QualificationSummary="x" * 100_001))
    assert [problem.rule for problem in made.problems[1]] == ["record_size"]
