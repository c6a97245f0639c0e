"""From raw records to a silver frame and the records rejected on the way. Pure: no I/O."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl
from pydantic import ValidationError

from services.transformer import gate
from services.transformer.bounds import Bounds, too_deep
from services.transformer.content import Encoded, Unreadable, unreadable
from services.transformer.fingerprint import fingerprint
from services.transformer.gate import Problems
from services.transformer.shape import Observer
from shared import lenient_json, silver
from shared.datasets import contract
from shared.datasets.contract import Row
from shared.failpoint import failpoint
from shared.quarantine import Problem
from shared.silver import Shape, Sighting, Warned

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MOST_PROBLEMS = 100  # kept of one record
LOOKED_UP_AT_ONCE = 500  # records


NOT_READ = ("", b"")  # the fingerprint of what is no record
LookUp = Callable[[Sequence[str]], Sequence[bytes | None]]  # natural keys to the content hashes held of them


@dataclass(frozen=True)
class Batch:
    """The outcome of some records: the valid ones as a frame (`shared.silver.schema`), and the others' problems."""

    frame: pl.DataFrame
    problems: Problems
    warnings: tuple[Warned, ...]
    shape: Shape


def nothing_known(keys: Sequence[str]) -> Sequence[bytes | None]:
    """To look at every record in full."""
    return [None] * len(keys)


def transform(  # noqa: PLR0913 - of which two have defaults
    dataset: str,
    records: Sequence[Encoded],
    first: int,
    bounds: Bounds,
    look_up: LookUp = nothing_known,
    *,
    keep_raw: bool = False,
) -> Batch:
    """Validate, normalise and gate. Every record is either a row of the frame or a key of the problems.

    `first` is the index of the first record in its object. A record whose content is the one that `look_up` knows is
    a bare sighting: a row of nothing but its key and hash. With `keep_raw` other rows carry their JSON text.
    """
    tables, observer = contract.tables(dataset), Observer(contract.raw(dataset).KNOWN_VALUES)
    rows: list[Row] = []
    sightings: list[Sighting] = []
    problems: Problems = {}
    for index, outcome in enumerate(_outcomes(dataset, records, bounds, observer, look_up), start=first):
        match outcome:
            case tuple():
                problems[index] = outcome
            case Sighting():
                sightings.append(replace(outcome, index=index))
            case _:
                text = {silver.RAW: _text(records[index - first])} if keep_raw else {}
                rows.append({silver.RECORD_INDEX: index, **text, **outcome})
    failpoint("transformer.parsed")
    frame = silver.frame(rows, tables)
    failed, warnings = gate.judge(frame, contract.gate(dataset).GATE, tables)
    kept = frame.filter(~pl.col(silver.RECORD_INDEX).is_in(list(failed)))
    return Batch(silver.with_sightings(kept, sightings, tables), problems | failed, warnings, observer.shape())


def parse(encoded: Encoded, bounds: Bounds) -> object:
    """A record as an object. What is not JSON, or beyond the bounds, stays or becomes an Unreadable."""
    if isinstance(encoded, Unreadable):
        return encoded
    if len(encoded) > bounds.record:
        return unreadable("record_size", f"larger than {bounds.record} bytes", encoded)
    try:
        record = lenient_json.loads(encoded)
    except ValueError as error:
        return unreadable("json", f"not JSON: {error}", encoded)
    if too_deep(record, encoded, bounds.nesting):
        return unreadable("nesting", "nested too deep", encoded)
    return record


def _outcomes(
    dataset: str, records: Sequence[Encoded], bounds: Bounds, observer: Observer, look_up: LookUp
) -> Iterator[Row | Sighting | tuple[Problem, ...]]:
    record_type, normalise = contract.raw(dataset).Record, contract.normalise(dataset).normalise
    for encoded, (key, seen_hash), known in _looked_up(dataset, records, look_up):
        if seen_hash == known:
            yield Sighting(0, key, seen_hash)
            continue
        record = parse(encoded, bounds)
        if isinstance(record, Unreadable):
            yield (record.problem,)
            continue
        observer.see(record)
        try:
            row = normalise(record_type.model_validate(record))
        except ValidationError as error:
            yield _problems(error)
        else:
            yield {silver.CONTENT_HASH: seen_hash, **row}


def _looked_up(
    dataset: str, records: Sequence[Encoded], look_up: LookUp
) -> Iterator[tuple[Encoded, tuple[str, bytes], bytes | None]]:
    """Each record with its fingerprint, and the hash that is held of its key."""
    raw, version = contract.raw(dataset), contract.normalise(dataset).VERSION
    for start in range(0, len(records), LOOKED_UP_AT_ONCE):
        some = records[start : start + LOOKED_UP_AT_ONCE]
        prints = [NOT_READ if isinstance(one, Unreadable) else fingerprint(one, raw, version) for one in some]
        yield from zip(some, prints, look_up([key for key, _ in prints]), strict=True)


def _text(encoded: Encoded) -> str:
    return (encoded.text if isinstance(encoded, Unreadable) else encoded).decode()


def _problems(error: ValidationError) -> tuple[Problem, ...]:
    return tuple(
        Problem(rule=e["type"], field=".".join(map(str, _place(e))), message=e["msg"])
        for e in error.errors(include_url=False, include_input=False)[:MOST_PROBLEMS]
    )


def _place(error: "ErrorDetails") -> Sequence[int | str]:
    """What is wrong with a value as such is found with its object, and named in the context (`RawModel`)."""
    field = error.get("ctx", {}).get("field")
    return (*error["loc"], field) if field else error["loc"]
