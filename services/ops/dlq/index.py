"""Index of dead letters by object and by page of a run."""

from collections.abc import Iterable

from pydantic import ValidationError

from services.ops.dlq.dead_letters import DeadLetter
from shared.config.topology import RAW_PREFIXES, SILVER_PREFIX
from shared.datasets import registry
from shared.errors import PermanentError
from shared.formats.commands import PageCommand
from shared.storage import object_keys
from shared.storage.object_id import ObjectId


class DeadLetterIndex:
    """Looks up the reason for which an object or page became a dead letter."""

    def __init__(self, letters: Iterable[DeadLetter]) -> None:
        self._objects: dict[tuple[str, str], str] = {}  # {(key, version, eTag or nothing, as in the message): reason}
        self._stems: dict[str, str] = {}
        self._pages: dict[tuple[str, int, int], str] = {}
        for letter in letters:
            reason = f"{letter.error_type}: {letter.error_message}"
            for stored in letter.objects:
                self._objects[stored.key, stored.version] = reason
                if stored.key.startswith(SILVER_PREFIX):
                    self._stems[stored.key.rpartition("-")[0] + "-"] = reason
            if (page := _page_command(letter.body)) is not None:
                self._pages[page.run_id, page.part, page.page] = reason

    def has(self, stored: ObjectId) -> bool:
        """Whether the object has a dead letter."""
        return self.of_object(stored) is not None

    def of_object(self, stored: ObjectId) -> str | None:
        """The reason of the object's dead letter, or of its silver object's, or None."""
        names = dict.fromkeys((stored.version, stored.etag or "", ""))
        own = (self._objects.get((stored.key, name)) for name in names)
        return next(filter(None, own), None) or self._stems.get(_silver_stem(stored) or "")

    def of_page(self, page: PageCommand, *, sequential: bool) -> str | None:
        """The reason of the page command's dead letter; in sequential parts also the previous page's.

        None if there is none.
        """
        own = self._pages.get((page.run_id, page.part, page.page))
        return own or (self._pages.get((page.run_id, page.part, page.page - 1)) if sequential else None)


def _page_command(body: str) -> PageCommand | None:
    try:
        return PageCommand.model_validate_json(body)
    except (ValidationError, PermanentError):
        return None


def _silver_stem(stored: ObjectId) -> str | None:
    """The prefix of the silver keys of a bronze object, or None."""
    if not stored.key.startswith(RAW_PREFIXES):
        return None
    try:
        version = registry.dataset(object_keys.dataset_of(stored.key)).version
    except PermanentError:  # unknown dataset
        return None
    return object_keys.silver_prefix(stored, version)
