"""Pages of runs in bronze: whether they exist and are readable."""

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
    """A planned page that is not in the ledger: its bronze object, if any, and why that is unreadable."""

    command: PageCommand
    stored: ObjectId | None
    unreadable: str | None = None

    @property
    def to_fetch(self) -> bool:
        """Whether it must be fetched, as bronze has nothing loadable."""
        return self.stored is None or self.unreadable is not None


def missing_pages(connections: Connections, connection: Connection, run: Row[Any]) -> list[MissingPage]:
    """The planned pages that are not in the ledger; those in bronze are read."""
    plan = RunPlan.model_validate(run._asdict())
    return [*inspected(connections, plan.missing(loaded_pages(connection, plan.run_id)))]


def fetchable(run: Row[Any], missing: Iterable[MissingPage]) -> Iterator[PageCommand]:
    """Commands for the missing pages that must be fetched and can be now."""
    commands = (_command(page) for page in missing if page.to_fetch)
    return RunPlan.model_validate(run._asdict()).sendable(commands)


def is_sequential(run: Row[Any]) -> bool:
    """Whether the source is sequential."""
    return isinstance(registry.dataset(run.dataset).source, SequentialSource)


def inspected(connections: Connections, pages: Iterable[PageCommand], *, read: bool = True) -> Iterator[MissingPage]:
    """The bronze object of each page; `read` checks whether it is readable."""
    for page in pages:
        key = object_keys.page_key(page.dataset, page.run_id, page.part, page.page)
        stored = objects.newest(connections.s3, connections.settings.bucket, key)
        yield MissingPage(page, stored, unreadable(connections, stored) if stored and read else None)


def unreadable(connections: Connections, stored: ObjectId) -> str | None:
    """Why a page in bronze cannot be loaded, or None: damaged, no envelope, or rejected by its source's check."""
    largest = connections.settings.max_document_mib << 20
    try:
        source = registry.dataset(object_keys.dataset_of(stored.key)).source
        envelope.read(objects.get(connections.s3, stored, largest).body, largest).counts(source)
    except (PermanentError, UnexpectedAnswerError) as error:
        return str(error)
    return None


def _command(page: MissingPage) -> PageCommand:
    return page.command.model_copy(update={"replaces": page.stored.version if page.stored else None})
