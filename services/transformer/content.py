"""The content of a bronze object: a stream of raw records, and metadata."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from shared.formats.quarantine import Problem

LOOKED_AT = 1_000  # bytes kept of an unreadable record


@dataclass(frozen=True)
class Unreadable:
    """Stands for a record that cannot be parsed: the reason, and the beginning of its text."""

    problem: Problem
    text: bytes


Encoded = bytes | Unreadable  # a record as JSON text


@dataclass(frozen=True)
class Content:
    """The records of an object and what its envelope says.

    `date` is the `Date` header of a page's response, `ingest` identifies a page of a run, `replay` says which records a
    replay repeats (all empty for uploads). `expected_records` is the number of records that the object announces.
    """

    records: Iterator[Encoded]
    date: str | None = None
    ingest: dict[str, Any] = field(default_factory=dict)
    replay: dict[str, Any] = field(default_factory=dict)
    expected_records: int | None = None


def unreadable(rule: str, message: str, text: bytes) -> Unreadable:
    """An unreadable record, with its text truncated for display."""
    return Unreadable(Problem(rule=rule, field="", message=message), text[:LOOKED_AT])
