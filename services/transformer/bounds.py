"""Limits on input that anybody may drop into the bucket."""

from dataclasses import dataclass
from typing import Any

from shared.settings import Settings

MIB = 1 << 20


@dataclass(frozen=True)
class Bounds:
    """Bytes of an object as stored, as expanded, and of one JSON document; bytes of a record; how deep it may nest."""

    stored: int
    expanded: int
    document: int
    record: int
    nesting: int

    @classmethod
    def of(cls, settings: Settings) -> "Bounds":
        """The settings give MiB."""
        return cls(
            stored=settings.largest_object * MIB,
            expanded=settings.largest_expanded * MIB,
            document=settings.largest_document * MIB,
            record=settings.largest_record * MIB,
            nesting=settings.deepest_nesting,
        )


def too_deep(value: Any, text: bytes, limit: int) -> bool:
    """Whether a record is nested deeper than `limit`. `text` is its JSON: fewer brackets than that say no at once."""
    if text.count(b"{") + text.count(b"[") <= limit:
        return False
    level = [value]
    for _ in range(limit):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: Any) -> Any:
    if isinstance(node, dict):
        return [child for child in node.values() if isinstance(child, dict | list)]
    return [child for child in node if isinstance(child, dict | list)] if isinstance(node, list) else []
