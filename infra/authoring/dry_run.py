"""Transforms a file without a stack and without storing anything."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.authoring.file_content import LIMITS, opened
from services.transformer import batch_rules, formats
from services.transformer.batching import batched
from services.transformer.content import Encoded, Unreadable
from services.transformer.formats.key_parts import with_key_parts
from services.transformer.transform import TransformResult, transform
from shared.datasets import consistency, registry
from shared.datasets.contract.document import RECORD_ID
from shared.errors import PermanentError
from shared.formats import silver

MAX_REJECTS = 100  # described one by one
MAX_RAW = 1_000  # characters of a rejected record
INTERNAL = (silver.RECORD_INDEX, silver.CONTENT_HASH, silver.HASH_ONLY, silver.RAW, RECORD_ID)


@dataclass
class Outcome:
    """The result of a file."""

    read: int = 0
    valid: int = 0
    rejected: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)  # the first ones, child rows in lists
    rejects: list[dict[str, Any]] = field(default_factory=list)  # the first ones, with their problems
    reasons: Counter[str] = field(default_factory=Counter)  # {rule and field: records}
    warnings: Counter[str] = field(default_factory=Counter)  # {message: records}
    refused: str | None = None  # why the transformer would refuse the whole file


def run(path: Path, dataset: str, rows: int) -> Outcome:
    """Read and transform a file. Raises PermanentError for one that cannot be read, and for a wrong contract."""
    consistency.check(dataset)
    outcome, record_ids = Outcome(), str if registry.dataset(dataset).appends else None
    with opened(path) as stream:
        content = formats.read_upload(stream, registry.dataset(dataset), LIMITS)
        content = with_key_parts(content, path.as_posix(), registry.dataset(dataset))
        for batch in batched(content.records):
            result = transform(dataset, batch.records, batch.first, LIMITS, record_ids=record_ids)
            _add(outcome, result, batch.records, batch.first, rows)
            outcome.refused = outcome.refused or _refusal(dataset, result, len(batch.records))
    for warning in batch_rules.warn_of_count(content.expected_records, outcome.read):
        outcome.warnings[warning.message] = 1
    return outcome


def _add(outcome: Outcome, result: TransformResult, records: Sequence[Encoded], first: int, rows: int) -> None:
    outcome.read += len(records)
    outcome.valid += len(result.frame)
    outcome.rejected += len(result.problems)
    outcome.rows += result.frame.head(max(0, rows - len(outcome.rows))).drop(INTERNAL, strict=False).to_dicts()
    for index, problems in sorted(result.problems.items()):
        outcome.reasons.update({f"{problem.rule} {problem.field}".strip() for problem in problems})
        if len(outcome.rejects) < MAX_REJECTS:
            described = [problem.model_dump() for problem in problems]
            outcome.rejects.append({"record": index, "problems": described, "raw": _raw(records[index - first])})
    outcome.warnings.update({f"{item.field}: {item.message}": item.records for item in result.warnings})


def _raw(encoded: Encoded) -> str:
    text = encoded.text if isinstance(encoded, Unreadable) else encoded
    return text[:MAX_RAW].decode(errors="backslashreplace")


def _refusal(dataset: str, result: TransformResult, records: int) -> str | None:
    try:
        batch_rules.require_few_failures(result.problems, records, registry.dataset(dataset).limits)
    except PermanentError as error:
        return str(error)
    return None
