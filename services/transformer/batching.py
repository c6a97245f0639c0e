"""Cuts a stream of records into batches that fit into memory, each of which is a silver object of its own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from services.transformer.content import Encoded, Unreadable

# A page of the size that sources send is one batch; what an upload may hold is as large as it likes.
MOST_BYTES = 12 << 20
MOST_RECORDS = 10_000


@dataclass(frozen=True)
class RecordBatch:
    """Records in a row; batches count from 1. `first` is the index of the first record in the whole object."""

    number: int
    first: int
    records: list[Encoded]
    last: bool


def batched(
    records: Iterable[Encoded], most_bytes: int = MOST_BYTES, most_records: int = MOST_RECORDS
) -> Iterator[RecordBatch]:
    """At least one, empty if there are no records. The same records always give the same slices."""
    number, first, size = 1, 0, 0
    held: list[Encoded] = []
    for record in records:
        length = len(record.text if isinstance(record, Unreadable) else record)
        if held and (size + length > most_bytes or len(held) == most_records):
            yield RecordBatch(number, first, held, last=False)
            number, first, size, held = number + 1, first + len(held), 0, []
        held.append(record)
        size += length
    yield RecordBatch(number, first, held, last=True)
