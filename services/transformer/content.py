"""What a bronze object turns out to hold: raw records, one at a time, and what it says about them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from shared.formats.quarantine import Problem

LOOKED_AT = 1_000  # bytes of what is no record


@dataclass(frozen=True)
class Unreadable:
    """In place of a record that cannot even be parsed: why, and its text, or how that begins."""

    problem: Problem
    text: bytes


Encoded = bytes | Unreadable  # a record as JSON text


@dataclass(frozen=True)
class Content:
    """Records as they come, and where the object says they are from.

    `date` is the `Date` header of a page's answer, `ingest` says which page of a run it is, `replay` what a replay
    repeats (all empty for an upload), `expected_records` is the number of records that it claims to have.
    """

    records: Iterator[Encoded]
    date: str | None = None
    ingest: dict[str, Any] = field(default_factory=dict)
    replay: dict[str, Any] = field(default_factory=dict)
    expected_records: int | None = None


def unreadable(rule: str, message: str, text: bytes) -> Unreadable:
    """A record that is none, with no more of it than one wants to look at."""
    return Unreadable(Problem(rule=rule, field="", message=message), text[:LOOKED_AT])
