"""Splits a stream of records into batches that fit in memory; each becomes a silver object."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from services.transformer.content import Encoded, Unreadable

# A page of usual size is one batch; uploads may be of any size.
MAX_BATCH_BYTES = 12 << 20
MAX_BATCH_RECORDS = 10_000


@dataclass(frozen=True)
class RecordBatch:
    """Consecutive records. Batches count from 1; `first` is the index of the first record in the object."""

    number: int
    first: int
    records: list[Encoded]
    last: bool


def batched(
    records: Iterable[Encoded], max_bytes: int = MAX_BATCH_BYTES, max_records: int = MAX_BATCH_RECORDS
) -> Iterator[RecordBatch]:
    """Yields at least one batch, which is empty if there are no records. Deterministic."""
    number, first, size = 1, 0, 0
    chunk: list[Encoded] = []
    for record in records:
        length = len(record.text if isinstance(record, Unreadable) else record)
        if chunk and (size + length > max_bytes or len(chunk) == max_records):
            yield RecordBatch(number, first, chunk, last=False)
            number, first, size, chunk = number + 1, first + len(chunk), 0, []
        chunk.append(record)
        size += length
    yield RecordBatch(number, first, chunk, last=True)
