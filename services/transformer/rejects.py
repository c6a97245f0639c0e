"""The quarantine entries of a batch."""

from collections.abc import Iterator

from services.transformer.batches import Slice
from services.transformer.bounds import Bounds
from services.transformer.content import Encoded, Unreadable
from services.transformer.fingerprint import natural_key
from services.transformer.gate import Problems
from services.transformer.origin import Origin
from services.transformer.transform import parse
from shared import quarantine
from shared.datasets import contract
from shared.quarantine import Rejected


def rejected(origin: Origin, part: Slice, problems: Problems, bounds: Bounds) -> Iterator[Rejected]:
    """One entry for each record with problems, in the order of the object."""
    fields = contract.raw(origin.dataset).KEY
    for index, found in sorted(problems.items()):
        record = _looked_at(part.records[index - part.first], bounds)
        yield Rejected(
            dataset=origin.dataset,
            source=origin.bronze,
            transform_version=origin.transform_version,
            run_id=origin.ingest.run_id if origin.ingest else None,
            record_index=index,
            natural_key=natural_key(record, fields),
            observed_at=origin.observed_at,
            problems=found,
            raw=quarantine.raw_text(record, bounds.record),
        )


def _looked_at(encoded: Encoded, bounds: Bounds) -> object:
    """The record, or how it begins if that is all that can be kept."""
    record = parse(encoded, bounds)
    return record.text.decode(errors="backslashreplace") if isinstance(record, Unreadable) else record
