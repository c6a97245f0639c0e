"""From raw records to a silver frame and the records rejected on the way. Pure: no I/O."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import orjson
import polars as pl
from pydantic import ValidationError

from services.transformer import gate
from shared import silver
from shared.datasets import contract
from shared.datasets.contract import Row
from shared.quarantine import Problem

Problems = dict[int, tuple[Problem, ...]]  # {record index: the rules it failed}
HASH_LENGTH = 16  # bytes


@dataclass(frozen=True)
class Batch:
    """The outcome of one object: valid records as a frame (`shared.silver.schema`), and the others' problems."""

    frame: pl.DataFrame
    problems: Problems


def transform(dataset: str, records: Sequence[object]) -> Batch:
    """Validate, normalise and gate. Every record is either a row of the frame or a key of the problems."""
    tables = contract.tables(dataset)
    rows: list[Row] = []
    problems: Problems = {}
    for index, outcome in enumerate(_normalised(dataset, records)):
        if isinstance(outcome, tuple):
            problems[index] = outcome
        else:
            rows.append({silver.RECORD_INDEX: index, **outcome})
    frame = pl.DataFrame(rows, schema=silver.schema(tables))
    failed = gate.failures(frame, contract.gate(dataset).GATE, tables)
    kept = frame.filter(~pl.col(silver.RECORD_INDEX).is_in(list(failed)))
    return Batch(kept, problems | failed)


def _normalised(dataset: str, records: Sequence[object]) -> Iterator[Row | tuple[Problem, ...]]:
    raw, normaliser = contract.raw(dataset), contract.normalise(dataset)
    for record in records:
        try:
            row = normaliser.normalise(raw.Record.model_validate(record))
            yield {silver.CONTENT_HASH: content_hash(raw.content(record), normaliser.VERSION), **row}
        except RecursionError:
            yield (Problem(rule="nesting", field="", message="nested too deep"),)
        except ValidationError as error:
            yield tuple(
                Problem(rule=e["type"], field=".".join(map(str, e["loc"])), message=e["msg"])
                for e in error.errors(include_url=False, include_context=False, include_input=False)
            )


def content_hash(content: object, transform_version: int) -> bytes:
    """Equal for records of equal content under the same transform; the order of the fields does not matter.

    Raises RecursionError for content nested deeper than Python goes.
    """
    digest = blake2b(transform_version.to_bytes(4, "big"), digest_size=HASH_LENGTH)
    try:
        digest.update(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))
    except TypeError:  # what only the lenient JSON parser let in
        digest.update(json.dumps(content, sort_keys=True).encode())
    return digest.digest()
