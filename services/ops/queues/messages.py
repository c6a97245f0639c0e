"""The subject of a message, from its body. No I/O."""

import json
from dataclasses import dataclass
from functools import cached_property

from shared.config.topology import NOTIFICATIONS
from shared.errors import PermanentError
from shared.formats.s3_events import created_objects
from shared.storage.object_id import ObjectId

MAX_SUMMARY_CHARS = 160  # characters of a body without objects


@dataclass(frozen=True)
class MessageSubject:
    """The objects of an S3 event, or a command."""

    body: str

    @cached_property
    def objects(self) -> list[ObjectId]:
        """The objects in the message; empty for commands and unparseable bodies."""
        try:
            return created_objects(self.body)
        except PermanentError:
            return []

    @property
    def summary(self) -> str:
        """The keys of the objects, or the beginning of the body."""
        return ", ".join(stored.key for stored in self.objects) or self.body[:MAX_SUMMARY_CHARS]

    @property
    def datasets(self) -> set[str]:
        """The datasets in the keys or the command."""
        if objects := self.objects:
            parts = [stored.key.split("/") for stored in objects if stored.key.startswith(tuple(NOTIFICATIONS))]
            return {name for _, name, *_ in parts}
        return {str(self._command["dataset"])} if "dataset" in self._command else set()

    @cached_property
    def _command(self) -> dict[str, object]:
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}
