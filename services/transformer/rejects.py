"""The quarantine entries of a batch."""

from collections.abc import Iterator, Sequence

from services.transformer.batches import Slice
from services.transformer.bounds import Bounds
from services.transformer.content import LOOKED_AT, Encoded, Unreadable
from services.transformer.fingerprint import natural_key
from services.transformer.gate import Problems
from services.transformer.origin import Origin
from shared import lenient_json, quarantine
from shared.datasets import contract
from shared.quarantine import Problem, Rejected

# Rules of what cannot be parsed, or not be written again.
BEGINNING_ONLY = frozenset(("record_size", "json", "nesting"))


def rejected(origin: Origin, part: Slice, problems: Problems, bounds: Bounds) -> Iterator[Rejected]:
    """One entry for each record with problems, in the order of the object."""
    fields = contract.raw(origin.dataset).KEY
    for index, found in sorted(problems.items()):
        record = _looked_at(part.records[index - part.first], found)
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


def _looked_at(encoded: Encoded, problems: Sequence[Problem]) -> object:
    """The record, or how it begins if that is all that can be kept."""
    text = encoded.text if isinstance(encoded, Unreadable) else encoded
    if isinstance(encoded, Unreadable) or problems[0].rule in BEGINNING_ONLY:
        return text[:LOOKED_AT].decode(errors="backslashreplace")
    return lenient_json.loads(text)
