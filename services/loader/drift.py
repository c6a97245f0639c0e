"""Comparison of raw records with the dataset's declared fields and with recent runs. No I/O."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from shared.datasets.contract.options import BatchLimits
from shared.datasets.contract.raw_model import fields
from shared.formats.silver import FieldProfile, RuleWarning

COMMON = 0.5  # share of records that had a field, above which its disappearance is reported
WEIGHT = 0.3  # of the newest share in the moving average

Shares = dict[str, dict[str, float]]  # {path: {JSON type, or =value: share of the objects that could have it}}


@dataclass(frozen=True)
class Drift:
    """One difference; `records` counts occurrences (for lists, their items)."""

    kind: str
    path: str
    detail: str
    records: int


def declared_paths(model: type[BaseModel]) -> Iterator[str]:
    """Paths of all fields of a raw model, under all their aliases."""
    for places, _ in fields(model):
        yield from places


def shares(profile: FieldProfile) -> Shares:
    """Convert counts to shares of the objects that contain the field."""
    return {
        path: {kind: times / total for kind, times in types.items()}
        for path, types in profile.items()
        if path and not path.endswith("[]") and (total := _objects_at(profile, _parent(path)))
    }


def schema_drifts(
    profile: FieldProfile,
    before: Shares,
    declared_paths: Iterable[str],
    values: Mapping[str, Iterable[str]],
    kept_in: Callable[[str], str | None] = lambda _: None,
) -> Iterator[Drift]:
    """Undeclared fields, changed types, and values beyond the documented ones. `before` has the recent shares.

    `kept_in` gives the column that has the values of an undeclared field.
    """
    declared = set(declared_paths)
    for path, types in profile.items():
        if not path or path.endswith("[]"):
            continue
        kinds = {kind for kind in types if not kind.startswith("=")}
        if path not in declared and _parent(path).removesuffix("[]") in {*declared, ""}:
            place = f"; in column {column}" if (column := kept_in(path)) else ""
            yield Drift("unknown_field", path, ", ".join(sorted(kinds)) + place, sum(types[kind] for kind in kinds))
        previous_types = {kind for kind in before.get(path, {}) if not kind.startswith("=")} - {"null"}
        for kind in sorted(kinds - previous_types - {"null"} if previous_types else ()):
            yield Drift("type_change", path, f"{kind}, was {', '.join(sorted(previous_types))}", types[kind])
        for value in sorted(kind[1:] for kind in types if kind.startswith("=")):
            if value not in values.get(path, ()):
                yield Drift("new_value", path, value, types[f"={value}"])


def vanished_fields(profile: FieldProfile, before: Shares, limits: BatchLimits) -> Iterator[Drift]:
    """Fields that most objects had and none has now, if there are enough objects."""
    for path, shares in before.items():
        objects = _objects_at(profile, _parent(path))
        if path not in profile and objects >= limits.smallest and _present(shares) >= COMMON:
            yield Drift("vanished_field", path, f"was in {_present(shares):.0%}", objects)


def null_shares(profile: FieldProfile, before: Shares, limits: BatchLimits) -> Iterator[RuleWarning]:
    """Warnings for fields that are missing in many more records than before."""
    now = shares(profile)
    for path in sorted(now.keys() & before.keys()):
        fall = _present(before[path]) - _present(now[path])
        if fall > limits.null_share_rise and _objects_at(profile, _parent(path)) >= limits.smallest:
            message = f"in {_present(now[path]):.0%}, of late in {_present(before[path]):.0%}"
            yield RuleWarning(rule="null_share", field=path, message=message, records=0)


def averaged(now: Shares, before: Shares) -> Shares:
    """The moving average updated with the newest shares."""
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


def _objects_at(profile: FieldProfile, path: str) -> int:
    return profile.get(path, {}).get("object", 0)


def _parent(path: str) -> str:
    return path.rpartition(".")[0]
