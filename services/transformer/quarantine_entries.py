"""The quarantine entries of a batch."""

import json
from collections.abc import Iterator

from services.transformer import numbers
from services.transformer.batching import RecordBatch
from services.transformer.content import LOOKED_AT, Unreadable
from services.transformer.gate import Problems
from services.transformer.input_limits import InputLimits
from services.transformer.provenance import Provenance
from services.transformer.stored_key import stored_key
from shared.formats import quarantine
from shared.formats.quarantine import Rejected

# Rules of what cannot be parsed, or not be written again.
BEGINNING_ONLY = frozenset(("record_size", "json", "nesting"))


def quarantine_entries(
    origin: Provenance, part: RecordBatch, problems: Problems, bounds: InputLimits
) -> Iterator[Rejected]:
    """One entry for each record with problems, in the order of the object."""
    for index, found in sorted(problems.items()):
        encoded = part.records[index - part.first]
        if isinstance(encoded, Unreadable):
            key, text = None, _as_text(encoded.text)
        elif found[0].rule in BEGINNING_ONLY:
            key, text = None, _as_text(encoded[:LOOKED_AT])
        else:
            key, text = stored_key(numbers.parsed(encoded), origin.dataset), encoded.decode(errors="surrogatepass")
        yield Rejected(
            dataset=origin.dataset,
            source=origin.bronze,
            transform_version=origin.transform_version,
            run_id=origin.ingest.run_id if origin.ingest else None,
            record_index=index,
            natural_key=key,
            observed_at=origin.observed_at,
            problems=found,
            raw=quarantine.raw_text(text, bounds.record),
        )


def _as_text(text: bytes) -> str:
    """What is no record, as a JSON text."""
    return json.dumps(text.decode(errors="backslashreplace"))
