"""How the raw records of a run or an upload differ from what the dataset declares, and from what came before. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from shared.datasets.contract.options import BatchLimits
from shared.datasets.contract.raw_model import fields
from shared.formats.silver import RuleWarning, Shape

COMMON = 0.5  # share of records in which a field must have been, to be missed when it is in none
WEIGHT = 0.3  # of the newest share in the average of recent ones

Shares = dict[str, dict[str, float]]  # {path: {JSON type, or =value: share of the objects that could have it}}


@dataclass(frozen=True)
class Drift:
    """One difference: kind, where, what, and in how many records (for lists: items)."""

    kind: str
    path: str
    detail: str
    records: int


def declared(model: type[BaseModel]) -> Iterator[str]:
    """Paths of all fields of a raw model, by all the names that they may have."""
    for places, _ in fields(model):
        yield from places


def shares(shape: Shape) -> Shares:
    """Counts as shares of the objects that hold the field."""
    return {
        path: {kind: times / total for kind, times in types.items()}
        for path, types in shape.items()
        if path and not path.endswith("[]") and (total := _objects_at(shape, _parent(path)))
    }


def drifts(shape: Shape, before: Shares, known: Iterable[str], values: Mapping[str, Iterable[str]]) -> Iterator[Drift]:
    """What is new: fields nobody declared, other types, values beyond the documented ones. `before`: recent shares."""
    declared_paths = set(known)
    for path, types in shape.items():
        if not path or path.endswith("[]"):
            continue
        kinds = {kind for kind in types if not kind.startswith("=")}
        if path not in declared_paths and _parent(path).removesuffix("[]") in {*declared_paths, ""}:
            yield Drift("unknown_field", path, ", ".join(sorted(kinds)), sum(types[kind] for kind in kinds))
        held = {kind for kind in before.get(path, {}) if not kind.startswith("=")} - {"null"}
        for kind in sorted(kinds - held - {"null"} if held else ()):
            yield Drift("type_change", path, f"{kind}, was {', '.join(sorted(held))}", types[kind])
        for value in sorted(kind[1:] for kind in types if kind.startswith("=")):
            if value not in values.get(path, ()):
                yield Drift("new_value", path, value, types[f"={value}"])


def vanished(shape: Shape, before: Shares, limits: BatchLimits) -> Iterator[Drift]:
    """Fields that most objects had and none has now, where there are enough objects to tell."""
    for path, held in before.items():
        objects = _objects_at(shape, _parent(path))
        if path not in shape and objects >= limits.smallest and _present(held) >= COMMON:
            yield Drift("vanished_field", path, f"was in {_present(held):.0%}", objects)


def null_shares(shape: Shape, before: Shares, limits: BatchLimits) -> Iterator[RuleWarning]:
    """Fields that many more records lack than before."""
    now = shares(shape)
    for path in sorted(now.keys() & before.keys()):
        fall = _present(before[path]) - _present(now[path])
        if fall > limits.null_share_rise and _objects_at(shape, _parent(path)) >= limits.smallest:
            message = f"in {_present(now[path]):.0%}, of late in {_present(before[path]):.0%}"
            yield RuleWarning(rule="null_share", field=path, message=message, records=0)


def averaged(now: Shares, before: Shares) -> Shares:
    """The recent average with the newest shares in it."""
    return {
        path: {
            kind: (1 - WEIGHT) * before[path].get(kind, 0.0) + WEIGHT * now.get(path, {}).get(kind, 0.0)
            if path in before
            else now[path][kind]
            for kind in {**before.get(path, {}), **now.get(path, {})}
        }
        for path in {**before, **now}
    }


def _present(types: Mapping[str, float]) -> float:
    return sum(share for kind, share in types.items() if kind != "null" and not kind.startswith("="))


def _objects_at(shape: Shape, path: str) -> int:
    return shape.get(path, {}).get("object", 0)


def _parent(path: str) -> str:
    return path.rpartition(".")[0]
