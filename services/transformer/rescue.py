"""Collects undeclared fields of a record as JSON, for contracts with `evolution: rescue` or `evolve`."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

from services.transformer.numbers import Number
from shared.datasets import registry
from shared.datasets.contract import raw_model

Declared = Mapping[str, set[str]]  # {place of an object: names of its fields}; "", "place.", "readings[]."


class UnstorableError(ValueError):
    """A field that is not declared has a character or a number that Postgres cannot hold."""


def rescued(record: Mapping[str, Any], dataset: str) -> str | None:
    """The undeclared fields as JSON text, {path: value}; None where there are none. Raises UnstorableError."""
    fields: dict[str, Any] = {}
    for path, value in _undeclared(record, "", "", _declared(dataset)):
        while path in fields:  # the field `a.b`, and b inside of a
            path = f'"{path}"'  # noqa: PLW2901
        fields[path] = value
    if not fields:
        return None
    try:
        return _ENCODER.encode(fields).decode()
    except (TypeError, ValueError) as error:
        raise UnstorableError from error


def _exactly(value: Any) -> msgspec.Raw:
    """A number with all its digits. Other values that have no type in JSON are those that Postgres cannot store."""
    if isinstance(value, Number):
        return msgspec.Raw(str(value).encode())
    raise TypeError


_ENCODER = msgspec.json.Encoder(enc_hook=_exactly)


def _undeclared(record: Mapping[str, Any], place: str, path: str, declared: Declared) -> Iterator[tuple[str, Any]]:
    """`path` has the position of a list's item, `place` has `[]`."""
    for name, value in record.items():
        if name not in declared[place]:
            yield f"{path}{name}", value
        elif isinstance(value, dict) and (inner := f"{place}{name}.") in declared:
            yield from _undeclared(value, inner, f"{path}{name}.", declared)
        elif isinstance(value, list) and (inner := f"{place}{name}[].") in declared:
            for number, item in enumerate(value):
                if isinstance(item, dict):
                    yield from _undeclared(item, inner, f"{path}{name}[{number}].", declared)


@cache
def _declared(name: str) -> Declared:
    dataset = registry.dataset(name)
    declared: dict[str, set[str]] = defaultdict(set)
    for place, field in raw_model.names(dataset.record_model):
        declared[place].add(field)
    for path in dataset.ignored:
        place, dot, field = path.rpartition(".")
        declared[f"{place}{dot}"].add(field)
    return declared
