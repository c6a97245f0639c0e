"""Pages of runs as they lie in bronze: whether one is there, and whether it can be read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from services.ops.connections import Connections
from services.ops.runs.queries import loaded_pages
from shared.datasets import registry
from shared.datasets.source import SequentialSource, UnexpectedAnswerError
from shared.errors import PermanentError
from shared.formats import envelope
from shared.formats.commands import PageCommand
from shared.formats.run_plan import RunPlan
from shared.storage import object_keys, objects
from shared.storage.object_id import ObjectId


@dataclass(frozen=True)
class MissingPage:
    """A planned page that is not in the ledger: what bronze has of it, if anything, and why that cannot be read."""

    command: PageCommand
    stored: ObjectId | None
    unreadable: str | None = None

    @property
    def to_fetch(self) -> bool:
        """Whether nothing in bronze can be loaded for it."""
        return self.stored is None or self.unreadable is not None


def missing_pages(connections: Connections, connection: Connection, run: Row[Any]) -> list[MissingPage]:
    """The pages that a run planned and the ledger lacks; those in bronze are read."""
    plan = RunPlan.model_validate(run._asdict())
    return [*inspected(connections, plan.missing(loaded_pages(connection, plan.run_id)))]


def fetchable(run: Row[Any], missing: Iterable[MissingPage]) -> Iterator[PageCommand]:
    """Commands for those of the missing pages that must be fetched, or fetched anew, and can be now."""
    commands = (_command(page) for page in missing if page.to_fetch)
    return RunPlan.model_validate(run._asdict()).sendable(commands)


def is_sequential(run: Row[Any]) -> bool:
    """Whether each of its pages says how to ask for the next."""
    return isinstance(registry.dataset(run.dataset).source, SequentialSource)


def inspected(connections: Connections, pages: Iterable[PageCommand], *, read: bool = True) -> Iterator[MissingPage]:
    """What bronze has of each; without `read` it is not known whether that can be read."""
    for page in pages:
        key = object_keys.page_key(page.dataset, page.run_id, page.part, page.page)
        stored = objects.newest(connections.s3, connections.settings.bucket, key)
        yield MissingPage(page, stored, unreadable(connections, stored) if stored and read else None)


def unreadable(connections: Connections, stored: ObjectId) -> str | None:
    """Why a page in bronze cannot be loaded: damaged, no envelope, or not a page by its source's own check."""
    largest = connections.settings.max_document_mib << 20
    try:
        source = registry.dataset(object_keys.dataset_of(stored.key)).source
        envelope.read(objects.get(connections.s3, stored, largest).body, largest).counts(source)
    except (PermanentError, UnexpectedAnswerError) as error:
        return str(error)
    return None


def _command(page: MissingPage) -> PageCommand:
    return page.command.model_copy(update={"replaces": page.stored.version if page.stored else None})
