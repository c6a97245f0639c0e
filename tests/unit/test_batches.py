"""Slices of a stream of records."""

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.transformer.batching import RecordBatch, batched
from services.transformer.content import Encoded, unreadable

RECORDS = st.lists(
    st.binary(max_size=30) | st.builds(lambda text: unreadable("json", "why", text), st.binary(max_size=30)),
    max_size=40,
)
LIMITS = st.tuples(st.integers(1, 100), st.integers(1, 12))


def size(record: Encoded) -> int:
    """Bytes of a record, or of what is left of it."""
    return len(record if isinstance(record, bytes) else record.text)


@given(RECORDS, LIMITS)
def test_all_records_are_in_the_slices_in_their_order(records: list[Encoded], limits: tuple[int, int]) -> None:
    slices = list(batched(records, *limits))
    assert [record for one in slices for record in one.records] == records


@given(RECORDS, LIMITS)
def test_slices_are_numbered_and_say_where_they_begin(records: list[Encoded], limits: tuple[int, int]) -> None:
    slices = list(batched(records, *limits))
    assert [one.number for one in slices] == list(range(1, len(slices) + 1))
    assert [one.first for one in slices] == [
        sum(len(before.records) for before in slices[:n]) for n in range(len(slices))
    ]
    assert [one.last for one in slices] == [False] * (len(slices) - 1) + [True]


@given(RECORDS, LIMITS)
def test_no_slice_is_above_a_limit_unless_it_is_a_single_record(
    records: list[Encoded], limits: tuple[int, int]
) -> None:
    max_bytes, max_records = limits
    for one in batched(records, *limits):
        assert len(one.records) <= max_records
        assert sum(map(size, one.records)) <= max_bytes or len(one.records) == 1


@given(RECORDS, LIMITS)
def test_no_slice_is_cut_before_it_is_full(records: list[Encoded], limits: tuple[int, int]) -> None:
    max_bytes, max_records = limits
    slices = list(batched(records, *limits))
    for one, following in pairwise(slices):
        more = sum(map(size, one.records)) + size(following.records[0])
        assert len(one.records) == max_records or more > max_bytes


def test_no_record_makes_one_empty_slice_that_is_the_last() -> None:
    assert list(batched([])) == [RecordBatch(1, 0, [], last=True)]


def test_a_slice_is_given_before_what_comes_after_it_is_read() -> None:
    read = []

    def stream() -> Iterator[bytes]:
        for number in range(100):
            read.append(number)
            yield b"x"

    slices = batched(stream(), max_records=10)
    assert len(next(slices).records) == 10
    assert len(read) == 11
