"""Recognises files under uploads/ that tools create beside the data."""

from collections.abc import Sequence
from fnmatch import fnmatchcase


def litter(key: str, patterns: Sequence[str]) -> str | None:
    """The pattern that matches the key's file name (or a folder, for patterns ending with /), or None."""
    *folders, name = key.lower().split("/")
    for pattern in patterns:
        names = folders if pattern.endswith("/") else [name]
        if any(fnmatchcase(candidate, pattern.rstrip("/").lower()) for candidate in names):
            return pattern
    return None
