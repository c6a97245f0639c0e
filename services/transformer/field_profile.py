"""Field profiles: for each path in a batch's raw records, how often it has which JSON type.

The loader compares them with the baseline to detect drift (`services/loader/drift.py`). Hash-only and unreadable
records are not profiled. Objects with the same path, field names and types are counted together, so that profiling an
object costs one dictionary look-up.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from services.transformer.invalid_values import LoneSurrogate, NotFinite, NulText
from services.transformer.numbers import Number
from shared.datasets.contract.raw_model import has_value
from shared.formats.silver import FieldProfile

TYPES: dict[type, str] = {
    str: "string",
    int: "number",
    float: "number",
    Number: "number",
    bool: "boolean",
    type(None): "null",
    dict: "object",
    list: "array",
    NulText: "string",
    LoneSurrogate: "string",
    NotFinite: "number",
}
MAX_LENGTH = 200  # characters of a path or value
NESTED = frozenset((dict, list))
NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")  # in jsonb
MAX_FIELDS = 2_000  # per batch; bounds the ledger row of a source with generated field names


ObjectLayout = tuple[str, tuple[str, ...], tuple[type, ...]]  # path of an object, and the names and types of its fields


@dataclass
class _LayoutCounts:
    times: int
    below: list[tuple[str, str]]  # (field, path) of fields to descend into
    floats: frozenset[bool]  # of floats in exact fields: whether the field is text
    aliases: list[tuple[str, str]]  # pairs of aliases of one field


class TooDeepError(Exception):
    """A record exceeds the nesting limit."""


class FieldProfiler:
    """Builds the field profile of a batch.

    `known_values` is {path: documented values}; `aliases` are lists of paths of one field. `exact` is {path of a field
    that must not pass through a float: whether it is text}; `texts` and `amounts` say whether floats have occurred in
    such text fields, and in other such fields.
    """

    def __init__(
        self,
        known_values: Mapping[str, Iterable[str]],
        exact: Mapping[str, bool] = MappingProxyType({}),
        aliases: Iterable[Sequence[str]] = (),
    ) -> None:
        self.texts = self.amounts = False
        self._exact, self._aliases = exact, _by_object(aliases)
        self._known = frozenset(known_values)
        self._known_names: defaultdict[str, set[str]] = defaultdict(
            set
        )  # {path of an object: its fields of known values}
        for field_path in known_values:
            path, _, name = field_path.rpartition(".")
            self._known_names[path].add(name)
        self._layouts: dict[ObjectLayout, _LayoutCounts] = {}
        self._values: Counter[tuple[str, str]] = Counter()

    def add(self, value: Any, levels: int, path: str = "") -> None:
        """Count one record, or the part of it at `path`. Raises TooDeepError beyond this many levels."""
        kind = type(value)
        if not levels and kind in NESTED:
            raise TooDeepError
        if kind is dict:
            layout = (path, tuple(value), tuple(map(type, value.values())))
            counts = self._layouts.get(layout)
            if counts is None:
                counts = self._layouts[layout] = self._new(layout)
            counts.times += 1
            if counts.floats:
                self._note_floats(counts.floats)
            for first, other in counts.aliases:
                self._compare(value, path, first, other)
            for name, field_path in counts.below:
                self.add(value[name], levels - 1, field_path)
        elif kind is list:
            self._add_items(value, levels - 1, path)
        elif value is not None and path in self._known:
            self._values[path, str(value)] += 1

    def _add_items(self, items: list[Any], levels: int, path: str) -> None:
        is_known = path in self._known
        for item in items:
            if is_known or type(item) in NESTED:
                self.add(item, levels, path)
            elif type(item) is float and path in self._exact:
                self._note_floats({self._exact[path]})

    def _new(self, layout: ObjectLayout) -> _LayoutCounts:
        path, names, types = layout
        floats = (name for name, kind in zip(names, types, strict=True) if kind is float)
        field_paths = (_field_path(path, name, float) for name in floats)
        pairs = [
            (present[0], other)
            for present in (
                [name for name in names_of_field if name in names] for names_of_field in self._aliases.get(path, ())
            )
            for other in present[1:]
        ]
        exact = frozenset(self._exact[field_path] for field_path in field_paths if field_path in self._exact)
        return _LayoutCounts(0, list(self._nested_fields(layout)), exact, pairs)

    def _note_floats(self, floats: Collection[bool]) -> None:
        self.texts = self.texts or True in floats
        self.amounts = self.amounts or False in floats

    def _compare(self, value: Mapping[str, Any], path: str, first: str, other: str) -> None:
        """Count records with different values under two aliases of a field; the first one with a value is used."""
        both = value[first], value[other]
        if both[0] != both[1] and all(map(has_value, both)):
            self._values[_field_path(path, other, str), f"differs from {first}"] += 1

    def _nested_fields(self, layout: ObjectLayout) -> Iterator[tuple[str, str]]:
        path, names, types = layout
        known_names: Collection[str] = self._known_names.get(path, ())
        for name, kind in zip(names, types, strict=True):
            if kind in NESTED or name in known_names:
                yield name, _field_path(path, name, kind)

    def profile(self) -> FieldProfile:
        """The profile of all records added."""
        fields: Counter[tuple[str, str | None, type]] = Counter()  # name None: the objects at the path themselves
        for (path, names, types), counts in self._layouts.items():
            if not path or path.endswith("[]"):
                fields[path, None, dict] += counts.times
            for name, kind in zip(names, types, strict=True):
                fields[path, name, kind] += counts.times
        profile: dict[str, Counter[str]] = {}
        for (path, field, kind), times in fields.items():
            field_path = path if field is None else _field_path(path, field, kind).removesuffix("[]")
            _count(profile, field_path, TYPES[kind], times)
        for (path, value), times in self._values.items():
            profile.setdefault(path, Counter())[f"={_storable(value)}"] += times
        return {path: dict(counts) for path, counts in profile.items()}


def _by_object(aliases_of_fields: Iterable[Sequence[str]]) -> dict[str, list[list[str]]]:
    """{path of an object: lists of names of one field}."""
    aliases: defaultdict[str, list[list[str]]] = defaultdict(list)
    for names in aliases_of_fields:
        if len(names) > 1:
            aliases[names[0].rpartition(".")[0]].append([name.rpartition(".")[2] for name in names])
    return dict(aliases)


def _count(profile: dict[str, Counter[str]], path: str, kind: str, times: int) -> None:
    storable_path = _storable(path)
    if storable_path in profile or len(profile) < MAX_FIELDS:
        profile.setdefault(storable_path, Counter())[kind] += times


def _storable(text: str) -> str:
    return NOT_STORABLE.sub("\N{REPLACEMENT CHARACTER}", text)[:MAX_LENGTH]


def _field_path(path: str, name: str, kind: type) -> str:
    field_path = f"{path}.{name}" if path or not name else name  # the record itself has the empty path
    return f"{field_path}[]" if kind is list else field_path
