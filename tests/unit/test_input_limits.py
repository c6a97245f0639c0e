"""Bounds on records that anybody may drop into the bucket."""

import json
from typing import Any

import pytest

from services.transformer.input_limits import InputLimits
from services.transformer.transform import TransformResult, transform

BOUNDS = InputLimits(stored=1 << 20, expanded=1 << 20, document=1 << 20, record=100_000, nesting=64)


def posting(number: str = "1", unknown: object = None, **fields: Any) -> dict[str, Any]:
    """A posting with just enough in it to be valid."""
    descriptor = {"PositionTitle": "Engineer", **fields}
    return {"MatchedObjectId": number, "MatchedObjectDescriptor": descriptor, "Unknown": unknown}


def batch(*records: object) -> TransformResult:
    """What becomes of these records."""
    return transform("usajobs_search", [json.dumps(record).encode() for record in records], 0, BOUNDS)


@pytest.mark.parametrize(
    ("levels", "rule"), [(40, None), (80, "nesting"), (300, "nesting"), (900, "nesting"), (40_000, "json")]
)
def test_a_record_nested_too_deep_is_rejected_and_its_neighbours_are_not(levels: int, rule: str | None) -> None:
    deep = b'{"MatchedObjectId": 2, "MatchedObjectDescriptor": {"PositionTitle": "x"}, "Unknown": %s}'
    nested = deep % (b"[" * levels + b"]" * levels)
    first, last = (json.dumps(posting(number)).encode() for number in ("1", "3"))
    made = transform("usajobs_search", [first, nested, last], 0, BOUNDS)
    assert {index: problems[0].rule for index, problems in made.problems.items()} == ({1: rule} if rule else {})


@pytest.mark.parametrize(("levels", "deep"), [(63, False), (64, True)])
def test_a_record_may_be_as_deep_as_the_limit_however_wide_it_is(levels: int, *, deep: bool) -> None:
    value: Any = {}
    for _ in range(levels - 1):
        value = [value, [], {}]
    assert bool(batch(posting(unknown=value)).problems) is deep


def test_a_wide_record_is_not_a_deep_one() -> None:
    assert batch(posting(PositionLocation=[{"LocationName": str(n)} for n in range(500)])).problems == {}


def test_a_record_too_large_is_rejected() -> None:
    made = batch(posting("1"), posting("2", QualificationSummary="x" * 100_001))
    assert [problem.rule for problem in made.problems[1]] == ["record_size"]
