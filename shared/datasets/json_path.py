"""Values inside JSON, addressed by names of nested fields."""

from typing import Any

Path = tuple[str, ...]


def value_at(content: Any, path: Path) -> Any:
    """The value at a path; None where there is none."""
    for name in path:
        content = content.get(name) if isinstance(content, dict) else None
    return content


def with_value(content: Any, path: Path, value: Any) -> Any:
    """A copy of the content that has the value at the path; objects on the way to it are made."""
    if not path:
        return value
    name, *rest = path
    fields = content if isinstance(content, dict) else {}
    return {**fields, name: with_value(fields.get(name), tuple(rest), value)}
