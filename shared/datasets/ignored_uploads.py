"""Uploads that are not loaded: what tools create beside the data, and what a contract leaves out."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from shared.datasets import registry
from shared.storage import object_keys
from shared.storage.litter import litter


def ignored_by(key: str, patterns: Sequence[str]) -> str | None:
    """The reason for which an object is an ignored upload, or None. `patterns` are those of the settings."""
    if not object_keys.is_upload(key):
        return None
    if pattern := litter(key, patterns):
        return pattern
    _, _, place = key.partition("/")
    name, slash, file = place.partition("/")
    if not slash or name not in registry.names():  # another step refuses the key
        return None
    options = registry.dataset(name).contract.options
    path = PurePosixPath(file)
    if pattern := next(filter(path.match, options.exclude), None):
        return pattern
    return None if not options.include or any(map(path.match, options.include)) else "not included"
