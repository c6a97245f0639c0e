"""From raw records to a silver frame and the records rejected on the way. Pure: no I/O."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

import orjson
import polars as pl
from pydantic import ValidationError

from services.transformer import gate, numbers
from services.transformer.content import Encoded, Unreadable, unreadable
from services.transformer.field_profile import FieldProfiler, TooDeepError
from services.transformer.fingerprint import fingerprint
from services.transformer.gate import Problems
from services.transformer.input_limits import InputLimits
from services.transformer.invalid_values import NUL, InvalidValue, replace_invalid
from shared import lenient_json, natural_key
from shared.datasets import registry
from shared.datasets.contract import raw_model
from shared.datasets.dataset import Row
from shared.failpoint import failpoint
from shared.formats import silver
from shared.formats.quarantine import Problem
from shared.formats.silver import HashOnlyRow, RuleWarning, Shape

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MOST_PROBLEMS = 100  # kept of one record
TOO_DEEP = "nested too deep"
LOOKED_UP_AT_ONCE = 500  # records


NOT_READ = ("", b"")  # the fingerprint of what is no record
LookedUp = tuple[Encoded, tuple[str, bytes], bytes | None]  # a record, its fingerprint, and the hash held of its key
HashLookup = Callable[[Sequence[str]], Sequence[bytes | None]]  # natural keys to the content hashes held of them


@dataclass(frozen=True)
class TransformResult:
    """The outcome of some records: valid ones as a frame (`shared.formats.silver.schema`), problems of the others."""

    frame: pl.DataFrame
    problems: Problems
    warnings: tuple[RuleWarning, ...]
    shape: Shape


def nothing_known(keys: Sequence[str]) -> Sequence[bytes | None]:
    """To look at every record in full."""
    return [None] * len(keys)


def transform(  # noqa: PLR0913 - of which two have defaults
    dataset: str,
    records: Sequence[Encoded],
    first: int,
    bounds: InputLimits,
    look_up: HashLookup = nothing_known,
    *,
    keep_raw: bool = False,
) -> TransformResult:
    """Validate, normalise and gate. Every record is either a row of the frame or a key of the problems.

    `first` is the index of the first record in its object. A record whose content is the one that `look_up` knows is
    a hash-only row: nothing but its key and hash. With `keep_raw` other rows carry their JSON text.
    """
    tables, observer = registry.dataset(dataset).tables, _observer(dataset)
    rows: list[Row] = []
    sightings: list[HashOnlyRow] = []
    problems: Problems = {}
    looked_up = enumerate(_looked_up(dataset, records, look_up), start=first)
    for index, outcome in _outcomes(dataset, looked_up, bounds, observer):
        match outcome:
            case tuple():
                problems[index] = outcome
            case HashOnlyRow():
                sightings.append(outcome)
            case _:
                if keep_raw:
                    outcome[silver.RAW] = _text(records[index - first])
                rows.append(outcome)
    failpoint("transformer.parsed")
    frame = silver.frame(rows, tables)
    failed, warnings = gate.run_checks(frame, registry.dataset(dataset).checks, tables)
    kept = frame.filter(~pl.col(silver.RECORD_INDEX).is_in(list(failed)))
    return TransformResult(
        silver.with_hash_only_rows(kept, sightings, tables), problems | failed, warnings, observer.shape()
    )


def _outcomes(
    dataset: str, records: Iterable[tuple[int, LookedUp]], bounds: InputLimits, observer: FieldProfiler
) -> Iterator[tuple[int, Row | HashOnlyRow | tuple[Problem, ...]]]:
    record_type, normalise = registry.dataset(dataset).record_model, registry.dataset(dataset).normalise
    key_columns = tuple(registry.dataset(dataset).tables.root.primary_key.columns)
    for index, (encoded, (key, seen_hash), known) in records:
        if seen_hash == known and (values := natural_key.values(key, key_columns)):
            yield index, HashOnlyRow(index, values, seen_hash)
            continue
        exact = observer.texts  # once a record needs exact numbers, so do most that follow
        record = parse(encoded, bounds, exact=exact)
        if isinstance(record, Unreadable):
            yield index, (record.problem,)
            continue
        try:
            observer.see(record, bounds.nesting)
            if not exact and (observer.texts or (observer.amounts and numbers.has_long(cast("bytes", encoded)))):
                record = parse(encoded, bounds, exact=True)
            row = normalise(record_type.model_validate(record))
        except TooDeepError:
            yield index, (Problem(rule="nesting", field="", message=TOO_DEEP),)
        except ValidationError as error:
            yield index, _problems(error)
        else:
            row[silver.RECORD_INDEX], row[silver.CONTENT_HASH] = index, seen_hash
            yield index, row


def _looked_up(dataset: str, records: Sequence[Encoded], look_up: HashLookup) -> Iterator[LookedUp]:
    """Each record with its fingerprint, and the hash that is held of its key."""
    raw, version = registry.dataset(dataset), registry.dataset(dataset).version
    for start in range(0, len(records), LOOKED_UP_AT_ONCE):
        some = records[start : start + LOOKED_UP_AT_ONCE]
        prints = [NOT_READ if isinstance(one, Unreadable) else fingerprint(one, raw, version) for one in some]
        yield from zip(some, prints, look_up([key for key, _ in prints]), strict=True)


@cache
def _layout(dataset: str) -> tuple[dict[str, bool], tuple[tuple[str, ...], ...]]:
    """Paths of fields whose numbers must be exact, and of those that are spelled in several ways."""
    several = (
        tuple(places) for places, _ in raw_model.fields(registry.dataset(dataset).record_model) if len(places) > 1
    )
    return numbers.exact_fields(dataset), tuple(several)


def _observer(dataset: str) -> FieldProfiler:
    return FieldProfiler(registry.dataset(dataset).known_values, *_layout(dataset))


def parse(encoded: Encoded, bounds: InputLimits, *, exact: bool = False) -> object:
    """A record as an object, with marks for what Postgres cannot hold; Unreadable for what is none."""
    if isinstance(encoded, Unreadable):
        return encoded
    if len(encoded) > bounds.record:
        return unreadable("record_size", f"larger than {bounds.record} bytes", encoded)
    try:
        return _parsed_exactly(encoded) if exact else _parsed(encoded)
    except ValueError as error:
        return unreadable("json", f"not JSON: {error}", encoded)
    except RecursionError:
        return unreadable("nesting", TOO_DEEP, encoded)


def _parsed(encoded: bytes) -> object:
    try:
        record = orjson.loads(encoded)
    except orjson.JSONDecodeError:
        return replace_invalid(lenient_json.flawed(encoded.decode(errors="surrogatepass")))
    return replace_invalid(record) if NUL in encoded else record


def _parsed_exactly(encoded: bytes) -> object:
    record = numbers.parsed(encoded)
    return replace_invalid(record) if NUL in encoded else record


def _text(encoded: Encoded) -> str:
    return (encoded.text if isinstance(encoded, Unreadable) else encoded).decode()


def _problems(error: ValidationError) -> tuple[Problem, ...]:
    return tuple(map(_problem, error.errors(include_url=False)[:MOST_PROBLEMS]))


def _problem(error: "ErrorDetails") -> Problem:
    field, found = ".".join(map(str, error["loc"])), error["input"]
    if isinstance(found, InvalidValue):
        return Problem(rule=found.rule, field=field, message=found.message)
    return Problem(rule=error["type"], field=field, message=error["msg"])
