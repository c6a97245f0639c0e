"""Collects undeclared fields of a record as JSON, for contracts with `evolution: rescue` or `evolve`."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

from services.transformer.numbers import Number
from shared.datasets import registry
from shared.datasets.contract import raw_model


class UnstorableError(ValueError):
    """A field that is not declared has a character or a number that Postgres cannot hold."""


def rescued(record: Mapping[str, Any], dataset: str) -> str | None:
    """The undeclared fields as JSON text, {path: value}; None where there are none. Raises UnstorableError."""
    declared, parents = _declared(dataset)
    fields = dict(_undeclared(record, "", "", declared, parents))
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


def _undeclared(
    record: Mapping[str, Any], declared_path: str, path: str, declared: frozenset[str], parents: frozenset[str]
) -> Iterator[tuple[str, Any]]:
    """`path` has the position of a list's item, `declared_path` has `[]`."""
    for name, value in record.items():
        own_declared, own = f"{declared_path}{name}", f"{path}{name}"
        if own_declared not in declared:
            yield own, value
        elif isinstance(value, dict) and f"{own_declared}." in parents:
            yield from _undeclared(value, f"{own_declared}.", f"{own}.", declared, parents)
        elif isinstance(value, list) and f"{own_declared}[]." in parents:
            for number, item in enumerate(value):
                if isinstance(item, dict):
                    yield from _undeclared(item, f"{own_declared}[].", f"{own}[{number}].", declared, parents)


@cache
def _declared(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """The paths of all declared fields, and those that begin others, with their separator."""
    dataset = registry.dataset(name)
    paths = {path for paths, _ in raw_model.fields(dataset.record_model) for path in paths} | dataset.ignored
    parents = {path[: place + 1] for path in paths for place, character in enumerate(path) if character == "."}
    return frozenset(paths), frozenset(parents)
