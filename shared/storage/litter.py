"""Files among uploads that tools leave beside the data, and that nobody means to load."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from shared.storage import object_keys


def litter(key: str, patterns: Sequence[str]) -> str | None:
    """The pattern that a key's name, or for one with a slash at its end the name of a folder above it, matches."""
    *folders, name = key.lower().split("/")
    for pattern in patterns:
        names = folders if pattern.endswith("/") else [name]
        if any(fnmatchcase(one, pattern.rstrip("/").lower()) for one in names):
            return pattern
    return None


def is_ignored(key: str, patterns: Sequence[str]) -> bool:
    """Whether an object is an upload that is not to be loaded."""
    return object_keys.is_upload(key) and litter(key, patterns) is not None
