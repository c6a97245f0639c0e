"""The poison corpus through the pure core: no queue, no bucket, no database."""

import io
import re
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from itertools import chain

import pytest

from services.transformer import formats
from services.transformer.batch_rules import require_few_failures
from services.transformer.batching import batched
from services.transformer.input_limits import InputLimits
from services.transformer.provenance import provenance_of
from services.transformer.transform import TransformResult, transform
from shared.config.topology import RAW_PREFIXES
from shared.datasets import registry
from shared.errors import PermanentError
from shared.storage import object_keys
from shared.storage.object_id import ObjectId
from tests.contract.poison import keys
from tests.contract.poison.case import BRONZE, OF_UPLOADS, UPLOAD, Case, DeadLetter, Lands, Quarantined
from tests.contract.poison.corpus import BOUNDS, CASES

MIB = 1 << 20
MOST_PROBLEMS = 100  # kept of one record: more help nobody, and cost gigabytes
SMALL = InputLimits(
    stored=int(BOUNDS["SMELT_MAX_OBJECT_MIB"]) * MIB,
    expanded=int(BOUNDS["SMELT_MAX_EXPANDED_MIB"]) * MIB,
    document=int(BOUNDS["SMELT_MAX_DOCUMENT_MIB"]) * MIB,
    record=int(BOUNDS["SMELT_MAX_RECORD_MIB"]) * MIB,
    nesting=int(BOUNDS["SMELT_MAX_NESTING"]),
)
KEYS = {case.key for case in keys.CASES}
UPLOADED = [case for case in CASES if case.place == UPLOAD and case.object_key.startswith(RAW_PREFIXES)]
PAGES = [case for case in UPLOADED if isinstance(case.ends, Lands | Quarantined)]
# Those whose content is the reason, rather than their key, their size as stored, or what the loader finds.
UNREADABLE = [
    case
    for case in UPLOADED
    if isinstance(case.ends, DeadLetter)
    and case.ends.queue in {BRONZE, OF_UPLOADS}
    and case.key not in KEYS
    and "larger than the bound" not in case.name
    and "sha256" not in case.name
]


@cache
def transformed(case: Case) -> tuple[int, TransformResult]:
    """How many records the case's file holds, and what became of them."""
    body = case.body(case.first)
    assert isinstance(body, bytes)
    dataset = object_keys.dataset_of(case.object_key)
    raw = registry.dataset(dataset)
    content = formats.read(case.object_key, io.BufferedReader(io.BytesIO(body)), raw, SMALL)
    provenance_of(dataset, ObjectId("bucket", case.object_key), content, datetime.now(UTC))
    (part,) = batched(content.records)
    batch = transform(dataset, part.records, part.first, SMALL)
    require_few_failures(batch.problems, len(part.records), raw.limits)
    return len(part.records), batch


def test_every_case_has_a_name_a_key_and_control_numbers_of_its_own() -> None:
    for ids in (
        [case.name for case in CASES],
        [case.first for case in CASES],
        [case.object_key for case in CASES if case.place == UPLOAD],
        [(case.place, case.body(case.first)) for case in CASES if case.place != UPLOAD],
    ):
        assert [one for one, times in Counter(ids).items() if times > 1] == []


@pytest.mark.parametrize("case", PAGES, ids=lambda case: case.name)
def test_every_record_is_a_row_or_rejected(case: Case) -> None:
    read, batch = transformed(case)
    indexes = batch.frame.get_column("record_index").to_list()
    assert sorted(chain(indexes, batch.problems)) == list(range(read))


@pytest.mark.parametrize("case", PAGES, ids=lambda case: case.name)
def test_exactly_the_bad_records_are_rejected_each_by_its_rule(case: Case) -> None:
    _, batch = transformed(case)
    expected = case.ends.rules if isinstance(case.ends, Quarantined) else {}
    wrong = {
        index: problems[0].rule
        for index, problems in batch.problems.items()
        if index not in expected or not re.search(expected[index], problems[0].rule)
    }
    assert (wrong, [index for index in expected if index not in batch.problems]) == ({}, [])


@pytest.mark.parametrize("case", PAGES, ids=lambda case: case.name)
def test_the_problems_kept_of_a_record_are_bounded(case: Case) -> None:
    _, batch = transformed(case)
    assert max(map(len, batch.problems.values()), default=0) <= MOST_PROBLEMS


@pytest.mark.parametrize("case", UNREADABLE, ids=lambda case: case.name)
def test_what_cannot_be_read_at_all_is_refused_with_the_reason(case: Case) -> None:
    assert isinstance(case.ends, DeadLetter)
    with pytest.raises(PermanentError, match=case.ends.reason):
        transformed(case)
