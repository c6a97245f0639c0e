"""Profiles a batch's raw records: for each field's path, how often it has which JSON type.

The loader compares profiles with the baseline to find drift (`services/loader/drift.py`). Records that are known by
their hash, or unreadable, are not profiled. Objects at the same path with the same fields of the same types are counted
together, so that profiling an object costs one look-up.
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
from shared.formats.silver import Shape

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
LONGEST = 200  # characters of a field's path or value
NESTED = frozenset((dict, list))
NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")  # in jsonb
MOST_FIELDS = 2_000  # of a batch; a source that makes up names for its fields must not fill the ledger


Form = tuple[str, tuple[str, ...], tuple[type, ...]]  # path of an object, the names and types of its fields


@dataclass
class _Seen:
    times: int
    below: list[tuple[str, str]]  # (field, its path) of what must be looked into
    floats: frozenset[bool]  # of fields that are none: whether these are texts
    spellings: list[tuple[str, str]]  # pairs of names of one field


class TooDeepError(Exception):
    """A record is nested deeper than it may be."""


class FieldProfiler:
    """Counts the shapes of objects.

    `known` is {path of a field: its documented values}; `spellings` are the names of one field, as paths. `exact` is
    {path of a field whose numbers no float may change: whether it is a text}; `texts` and `amounts` say whether floats
    have been seen in such texts, and in others.
    """

    def __init__(
        self,
        known: Mapping[str, Iterable[str]],
        exact: Mapping[str, bool] = MappingProxyType({}),
        spellings: Iterable[Sequence[str]] = (),
    ) -> None:
        self.texts = self.amounts = False
        self._exact, self._spellings = exact, _by_object(spellings)
        self._known = frozenset(known)
        self._known_of: defaultdict[str, set[str]] = defaultdict(set)  # {path of an object: its fields of known values}
        for place in known:
            path, _, name = place.rpartition(".")
            self._known_of[path].add(name)
        self._forms: dict[Form, _Seen] = {}
        self._values: Counter[tuple[str, str]] = Counter()

    def see(self, value: Any, levels: int, path: str = "") -> None:
        """Count one record, or a part of it at `path`. Raises TooDeepError where it has more than these levels."""
        kind = type(value)
        if not levels and kind in NESTED:
            raise TooDeepError
        if kind is dict:
            form = (path, tuple(value), tuple(map(type, value.values())))
            seen = self._forms.get(form)
            if seen is None:
                seen = self._forms[form] = self._new(form)
            seen.times += 1
            if seen.floats:
                self._note(seen.floats)
            for first, other in seen.spellings:
                self._compare(value, path, first, other)
            for name, place in seen.below:
                self.see(value[name], levels - 1, place)
        elif kind is list:
            self._see_items(value, levels - 1, path)
        elif value is not None and path in self._known:
            self._values[path, str(value)] += 1

    def _see_items(self, items: list[Any], levels: int, path: str) -> None:
        known = path in self._known
        for item in items:
            if known or type(item) in NESTED:
                self.see(item, levels, path)
            elif type(item) is float and path in self._exact:
                self._note({self._exact[path]})

    def _new(self, form: Form) -> _Seen:
        path, names, types = form
        floats = (name for name, kind in zip(names, types, strict=True) if kind is float)
        places = (_place(path, name, float) for name in floats)
        pairs = [
            (spelled[0], other)
            for spelled in ([name for name in several if name in names] for several in self._spellings.get(path, ()))
            for other in spelled[1:]
        ]
        exact = frozenset(self._exact[place] for place in places if place in self._exact)
        return _Seen(0, list(self._below(form)), exact, pairs)

    def _note(self, floats: Collection[bool]) -> None:
        self.texts = self.texts or True in floats
        self.amounts = self.amounts or False in floats

    def _compare(self, value: Mapping[str, Any], path: str, first: str, other: str) -> None:
        """Of two spellings the first with a value counts: that both have one, and not the same, is worth knowing."""
        both = value[first], value[other]
        if both[0] != both[1] and all(map(has_value, both)):
            self._values[_place(path, other, str), f"differs from {first}"] += 1

    def _below(self, form: Form) -> Iterator[tuple[str, str]]:
        path, names, types = form
        known: Collection[str] = self._known_of.get(path, ())
        for name, kind in zip(names, types, strict=True):
            if kind in NESTED or name in known:
                yield name, _place(path, name, kind)

    def shape(self) -> Shape:
        """What was seen."""
        fields: Counter[tuple[str, str | None, type]] = Counter()  # without a name: the objects at a path themselves
        for (path, names, types), seen in self._forms.items():
            if not path or path.endswith("[]"):
                fields[path, None, dict] += seen.times
            for name, kind in zip(names, types, strict=True):
                fields[path, name, kind] += seen.times
        found: dict[str, Counter[str]] = {}
        for (path, field, kind), times in fields.items():
            place = path if field is None else _place(path, field, kind).removesuffix("[]")
            _count(found, place, TYPES[kind], times)
        for (path, value), times in self._values.items():
            found.setdefault(path, Counter())[f"={_storable(value)}"] += times
        return {path: dict(counts) for path, counts in found.items()}


def _by_object(spellings: Iterable[Sequence[str]]) -> dict[str, list[list[str]]]:
    """{path of an object: the names that one of its fields may have}."""
    places: defaultdict[str, list[list[str]]] = defaultdict(list)
    for several in spellings:
        if len(several) > 1:
            places[several[0].rpartition(".")[0]].append([place.rpartition(".")[2] for place in several])
    return dict(places)


def _count(found: dict[str, Counter[str]], path: str, kind: str, times: int) -> None:
    place = _storable(path)
    if place in found or len(found) < MOST_FIELDS:
        found.setdefault(place, Counter())[kind] += times


def _storable(text: str) -> str:
    return NOT_STORABLE.sub("\N{REPLACEMENT CHARACTER}", text)[:LONGEST]


def _place(path: str, name: str, kind: type) -> str:
    place = f"{path}.{name}" if path or not name else name  # the empty path is the record's own
    return f"{place}[]" if kind is list else place
