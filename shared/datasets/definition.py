"""Digests of datasets' definitions, so that a worker does not go on with files that have changed since it read them."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from shared import datasets
from shared.errors import TransientError

MIGRATIONS = "migrations"
DIGITS = 16
WAIT = 30.0  # s until a message is tried again: workers are restarted within seconds


class ChangedDefinitionError(TransientError):
    """A dataset's files are others than this process runs: its messages wait for a worker that has read them."""

    def __init__(self, dataset: str) -> None:
        super().__init__(
            f"the definition of dataset {dataset!r} has changed since this worker started: restart the workers",
            after=WAIT,
        )


@cache
def loaded(dataset: str) -> str:
    """The digest of the definition that this process runs: of its files when they were first asked for."""
    return stored(dataset)


def stored(dataset: str) -> str:
    """The digest of the dataset's files as they are now, migrations aside."""
    digest = sha256()
    for folder in (Path(place) / dataset for place in datasets.__path__):
        for file in sorted(folder.rglob("*.py")):
            name = file.relative_to(folder)
            if MIGRATIONS not in name.parts:
                digest.update(f"{name}\0".encode() + sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:DIGITS]


def refuse_changed(dataset: str) -> None:
    """Raises ChangedDefinitionError where the files are no longer those that this process runs."""
    if stored(dataset) != loaded(dataset):
        raise ChangedDefinitionError(dataset)
