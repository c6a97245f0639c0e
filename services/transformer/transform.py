"""From raw records to a silver frame and the records rejected on the way. Pure: no I/O."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import orjson
import polars as pl
from pydantic import ValidationError

from services.transformer import gate
from services.transformer.bounds import Bounds, too_deep
from shared import silver
from shared.datasets import contract
from shared.datasets.contract import Row
from shared.failpoint import failpoint
from shared.quarantine import Problem

Problems = dict[int, tuple[Problem, ...]]  # {record index: the rules it failed}
HASH_LENGTH = 16  # bytes
MOST_PROBLEMS = 100  # kept of one record
NESTED = Problem(rule="nesting", field="", message="nested too deep")


@dataclass(frozen=True)
class Batch:
    """The outcome of one object: valid records as a frame (`shared.silver.schema`), and the others' problems."""

    frame: pl.DataFrame
    problems: Problems


def transform(dataset: str, records: Sequence[object], bounds: Bounds) -> Batch:
    """Validate, normalise and gate. Every record is either a row of the frame or a key of the problems."""
    tables = contract.tables(dataset)
    rows: list[Row] = []
    problems: Problems = {}
    for index, outcome in enumerate(_normalised(dataset, records, bounds)):
        if isinstance(outcome, tuple):
            problems[index] = outcome
        else:
            rows.append({silver.RECORD_INDEX: index, **outcome})
    failpoint("transformer.parsed")
    frame = pl.DataFrame(rows, schema=silver.schema(tables))
    failed = gate.failures(frame, contract.gate(dataset).GATE, tables)
    kept = frame.filter(~pl.col(silver.RECORD_INDEX).is_in(list(failed)))
    return Batch(kept, problems | failed)


def _normalised(dataset: str, records: Sequence[object], bounds: Bounds) -> Iterator[Row | tuple[Problem, ...]]:
    raw, normaliser = contract.raw(dataset), contract.normalise(dataset)
    for record in records:
        try:
            text = canonical(raw.content(record))
            if problem := _out_of_bounds(record, text, bounds):
                yield (problem,)
                continue
            row = normaliser.normalise(raw.Record.model_validate(record))
            yield {silver.CONTENT_HASH: content_hash(text, normaliser.VERSION), **row}
        except RecursionError:
            yield (NESTED,)
        except ValidationError as error:
            yield tuple(
                Problem(rule=e["type"], field=".".join(map(str, e["loc"])), message=e["msg"])
                for e in error.errors(include_url=False, include_context=False, include_input=False)[:MOST_PROBLEMS]
            )


def _out_of_bounds(record: object, text: bytes, bounds: Bounds) -> Problem | None:
    if len(text) > bounds.record:
        return Problem(rule="record_size", field="", message=f"larger than {bounds.record} bytes")
    return NESTED if too_deep(record, text, bounds.nesting) else None


def canonical(content: object) -> bytes:
    """Content as JSON whose fields are in one order. Raises RecursionError for what is nested too deep."""
    try:
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # what only the lenient JSON parser let in
        return json.dumps(content, sort_keys=True).encode()


def content_hash(text: bytes, transform_version: int) -> bytes:
    """Equal for equal content under the same transform."""
    return blake2b(transform_version.to_bytes(4, "big") + text, digest_size=HASH_LENGTH).digest()
