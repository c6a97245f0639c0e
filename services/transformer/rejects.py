"""The quarantine entries of a batch."""

import json
from collections.abc import Iterator

from services.transformer import numbers
from services.transformer.batches import Slice
from services.transformer.bounds import Bounds
from services.transformer.content import LOOKED_AT, Encoded, Unreadable
from services.transformer.stored_key import stored_key
from services.transformer.gate import Problems
from services.transformer.origin import Origin
from shared import quarantine
from shared.quarantine import Rejected

# Rules of what cannot be parsed, or not be written again.
BEGINNING_ONLY = frozenset(("record_size", "json", "nesting"))


def rejected(origin: Origin, part: Slice, problems: Problems, bounds: Bounds) -> Iterator[Rejected]:
    """One entry for each record with problems, in the order of the object."""
    for index, found in sorted(problems.items()):
        encoded = part.records[index - part.first]
        is_record = not isinstance(encoded, Unreadable) and found[0].rule not in BEGINNING_ONLY
        yield Rejected(
            dataset=origin.dataset,
            source=origin.bronze,
            transform_version=origin.transform_version,
            run_id=origin.ingest.run_id if origin.ingest else None,
            record_index=index,
            natural_key=stored_key(numbers.parsed(encoded), origin.dataset) if is_record else None,
            observed_at=origin.observed_at,
            problems=found,
            raw=quarantine.raw_text(
                encoded.decode(errors="surrogatepass") if is_record else _as_text(encoded), bounds.record
            ),
        )


def _as_text(encoded: Encoded) -> str:
    """What is no record as a JSON text, in full or as it begins."""
    text = encoded.text if isinstance(encoded, Unreadable) else encoded[:LOOKED_AT]
    return json.dumps(text.decode(errors="backslashreplace"))
