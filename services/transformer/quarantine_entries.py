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
from shared.datasets import registry
from shared.formats import quarantine
from shared.formats.quarantine import Rejected

# Failures of records that cannot be parsed or serialised.
TRUNCATED_RULES = frozenset(("record_size", "json", "nesting"))


def quarantine_entries(
    provenance: Provenance, batch: RecordBatch, problems: Problems, bounds: InputLimits
) -> Iterator[Rejected]:
    """One entry for each record with problems, in the object's order."""
    for index, failures in sorted(problems.items()):
        encoded = batch.records[index - batch.first]
        if isinstance(encoded, Unreadable):
            key, text = None, _as_text(encoded.text)
        elif failures[0].rule in TRUNCATED_RULES:
            key, text = None, _as_text(encoded[:LOOKED_AT])
        else:
            key, text = stored_key(numbers.parsed(encoded), provenance.dataset), encoded.decode(errors="surrogatepass")
        if registry.dataset(provenance.dataset).appends:
            key = provenance.record_id(index)
        yield Rejected(
            dataset=provenance.dataset,
            source=provenance.bronze,
            transform_version=provenance.transform_version,
            run_id=provenance.ingest.run_id if provenance.ingest else None,
            record_index=index,
            natural_key=key,
            observed_at=provenance.observed_at,
            problems=failures,
            raw=quarantine.raw_text(text, bounds.record),
        )


def _as_text(text: bytes) -> str:
    """An unparseable record as a JSON string."""
    return json.dumps(text.decode(errors="backslashreplace"))
