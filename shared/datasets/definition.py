"""A worker does not go on with a dataset whose files have changed since it read them."""

from shared.datasets import registry
from shared.errors import TransientError

WAIT_SECONDS = 30.0  # until a message is tried again: workers are restarted within seconds


class ChangedDefinitionError(TransientError):
    """A dataset's files are others than this process runs: its messages wait for a worker that has read them."""

    def __init__(self, dataset: str) -> None:
        super().__init__(
            f"the definition of dataset {dataset!r} has changed since this worker started: restart the workers",
            after=WAIT_SECONDS,
        )


def refuse_changed(name: str) -> None:
    """Raises ChangedDefinitionError where the files are no longer those that this process runs."""
    dataset = registry.dataset(name)
    if dataset.stored_digest() != dataset.digest:
        raise ChangedDefinitionError(name)
