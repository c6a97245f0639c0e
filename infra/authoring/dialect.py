"""Detects how the values of a CSV file are written: words for null, decimal commas."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.authoring.value_types import NUMBER, value_type

NULL_WORDS = ("NA", "N/A", "n/a", "null", "NULL", "None", "NaN", "nan", "\\N", "#N/A", "-", "--", "?")
COMMA_NUMBER = re.compile(r"-?(0|[1-9]\d{0,2}(\.\d{3})+|[1-9]\d*)(,\d+)?")
Records = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Dialect:
    """The words for null, and whether numbers have a decimal comma."""

    nulls: Sequence[str] = ()
    comma: bool = False
    numbers: frozenset[str] = field(default_factory=frozenset)  # the fields with such numbers

    @property
    def options(self) -> dict[str, Any]:
        """Of the contract."""
        marks = {"decimal": ",", "thousands": "."} if self.comma else {}
        return {**({"nulls": list(self.nulls)} if self.nulls else {}), **marks}

    def plain(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The record as the transformer hands it on."""
        return {name: self._value(name, value) for name, value in record.items()}

    def _value(self, name: str, value: str) -> str | None:
        if value.strip() in self.nulls:
            return None
        return value.replace(".", "").replace(",", ".") if self.comma and name in self.numbers else value


def dialect(records: Records) -> Dialect:
    """What the columns have in common: a word for null stands in a column whose other values are no texts."""
    columns = {name: [record[name].strip() for record in records] for name in records[0]}
    words = [word for word in NULL_WORDS if any(_is_null(word, name, values) for name, values in columns.items())]
    values = {name: [text for text in texts if text and text not in NULL_WORDS] for name, texts in columns.items()}
    numbers = {name for name, texts in values.items() if texts and all(map(COMMA_NUMBER.fullmatch, texts))}
    commas = any("," in text for name in numbers for text in values[name])
    points = any(
        "." in text
        for name, texts in values.items()
        if all(map(NUMBER.fullmatch, texts))
        for text in texts
        if name not in numbers
    )
    return Dialect(words, comma=commas and not points, numbers=frozenset(numbers))


def _is_null(word: str, name: str, values: Sequence[str]) -> bool:
    others = [value for value in values if value and value not in NULL_WORDS]
    if word not in values or not others:
        return False
    typed = value_type(others, name, texts=True)
    return typed.logical != "string" or all(map(COMMA_NUMBER.fullmatch, others))
