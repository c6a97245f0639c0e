"""Transforms raw records into a silver frame and problems of rejected records. No I/O."""

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
from services.transformer.rescue import UnstorableError, rescued
from shared import lenient_json, natural_key
from shared.datasets import registry
from shared.datasets.contract import raw_model
from shared.datasets.contract.document import RECORD_ID, RESCUED
from shared.datasets.dataset import Row
from shared.failpoint import failpoint
from shared.formats import silver
from shared.formats.quarantine import Problem
from shared.formats.silver import FieldProfile, HashOnlyRow, RuleWarning

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_PROBLEMS = 100  # kept per record
TOO_DEEP = "nested too deep"
LOOKUP_BATCH = 500  # records


NO_FINGERPRINT = ("", b"")  # of an unreadable record
RecordWithHash = tuple[
    Encoded, tuple[str, bytes], bytes | None
]  # a record, its fingerprint, and the stored hash of its key
RecordIds = Callable[[int], str]  # the index of a record in its object to its key
HashLookup = Callable[[Sequence[str]], Sequence[bytes | None]]  # from natural keys to stored content hashes


@dataclass(frozen=True)
class TransformResult:
    """The outcome of a batch: valid records as a frame (`shared.formats.silver.schema`), problems of the others."""

    frame: pl.DataFrame
    problems: Problems
    warnings: tuple[RuleWarning, ...]
    field_profile: FieldProfile


def no_hashes(keys: Sequence[str]) -> Sequence[bytes | None]:
    """A look-up that knows no hashes, so that every record is transformed in full."""
    return [None] * len(keys)


def transform(  # noqa: PLR0913 - of which two have defaults
    dataset: str,
    records: Sequence[Encoded],
    first: int,
    bounds: InputLimits,
    look_up: HashLookup = no_hashes,
    *,
    keep_raw: bool = False,
    record_ids: RecordIds | None = None,
) -> TransformResult:
    """Validate, normalise and check records. Each becomes either a row of the frame or a key of the problems.

    `first` is the index of the first record in its object. A record whose hash `look_up` returns becomes a hash-only
    row. With `keep_raw` other rows include their JSON text. `record_ids` gives the keys of records that are appended.
    """
    tables, profiler = registry.dataset(dataset).tables, _profiler(dataset)
    rows: list[Row] = []
    hash_only_rows: list[HashOnlyRow] = []
    problems: Problems = {}
    looked_up = enumerate(_looked_up(dataset, records, look_up), start=first)
    for index, outcome in _outcomes(dataset, looked_up, bounds, profiler):
        match outcome:
            case tuple():
                problems[index] = outcome
            case HashOnlyRow():
                hash_only_rows.append(outcome)
            case _:
                if keep_raw:
                    outcome[silver.RAW] = _text(records[index - first])
                if record_ids is not None:
                    outcome[RECORD_ID] = record_ids(index)
                rows.append(outcome)
    failpoint("transformer.parsed")
    frame = silver.frame(rows, tables)
    failed, warnings = gate.run_checks(frame, registry.dataset(dataset).checks, tables)
    passed = frame.filter(~pl.col(silver.RECORD_INDEX).is_in(list(failed)))
    return TransformResult(
        silver.with_hash_only_rows(passed, hash_only_rows, tables), problems | failed, warnings, profiler.profile()
    )


def _outcomes(
    dataset: str, records: Iterable[tuple[int, RecordWithHash]], bounds: InputLimits, profiler: FieldProfiler
) -> Iterator[tuple[int, Row | HashOnlyRow | tuple[Problem, ...]]]:
    record_type, normalise = registry.dataset(dataset).record_model, registry.dataset(dataset).normalise
    key_columns = tuple(registry.dataset(dataset).tables.root.primary_key.columns)
    rescues = registry.dataset(dataset).rescues
    for index, (encoded, (key, content_hash), stored_hash) in records:
        if content_hash == stored_hash and (values := natural_key.values(key, key_columns)):
            yield index, HashOnlyRow(index, values, content_hash)
            continue
        exact = profiler.texts  # if one record needs exact numbers, most of the following do
        record = parse(encoded, bounds, exact=exact)
        if isinstance(record, Unreadable):
            yield index, (record.problem,)
            continue
        try:
            profiler.add(record, bounds.nesting)
            if not exact and (
                profiler.texts or ((profiler.amounts or rescues) and numbers.has_long(cast("bytes", encoded)))
            ):
                record = parse(encoded, bounds, exact=True)
            row = normalise(record_type.model_validate(record))
            if rescues:
                row[RESCUED] = rescued(cast("dict[str, object]", record), dataset)
        except UnstorableError:
            yield index, (Problem(rule="undeclared_field", field=RESCUED, message="cannot be stored in Postgres"),)
        except TooDeepError:
            yield index, (Problem(rule="nesting", field="", message=TOO_DEEP),)
        except ValidationError as error:
            yield index, _problems(error)
        else:
            row[silver.RECORD_INDEX], row[silver.CONTENT_HASH] = index, content_hash
            yield index, row


def _looked_up(dataset: str, records: Sequence[Encoded], look_up: HashLookup) -> Iterator[RecordWithHash]:
    """Each record with its fingerprint and the stored hash of its key."""
    raw, version = registry.dataset(dataset), registry.dataset(dataset).version
    for start in range(0, len(records), LOOKUP_BATCH):
        chunk = records[start : start + LOOKUP_BATCH]
        fingerprints = [
            NO_FINGERPRINT if isinstance(record, Unreadable) else fingerprint(record, raw, version) for record in chunk
        ]
        yield from zip(chunk, fingerprints, look_up([key for key, _ in fingerprints]), strict=True)


@cache
def _layout(dataset: str) -> tuple[dict[str, bool], tuple[tuple[str, ...], ...]]:
    """Paths of fields with exact numbers, and lists of aliases."""
    aliases = (tuple(names) for names, _ in raw_model.fields(registry.dataset(dataset).record_model) if len(names) > 1)
    return numbers.exact_fields(dataset), tuple(aliases)


def _profiler(dataset: str) -> FieldProfiler:
    return FieldProfiler(registry.dataset(dataset).known_values, *_layout(dataset))


def parse(encoded: Encoded, bounds: InputLimits, *, exact: bool = False) -> object:
    """Parse a record, replacing values that Postgres cannot store; Unreadable if it cannot be parsed."""
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
    return tuple(map(_problem, error.errors(include_url=False)[:MAX_PROBLEMS]))


def _problem(error: "ErrorDetails") -> Problem:
    field, value = ".".join(map(str, error["loc"])), error["input"]
    if isinstance(value, InvalidValue):
        return Problem(rule=value.rule, field=field, message=value.message)
    return Problem(rule=error["type"], field=field, message=error["msg"])
