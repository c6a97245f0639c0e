"""Limits on input that anybody may drop into the bucket."""

from dataclasses import dataclass

from shared.config.settings import Settings

MIB = 1 << 20


@dataclass(frozen=True)
class InputLimits:
    """Bytes of an object as stored, as expanded, and of one JSON document; bytes of a record; how deep it may nest."""

    stored: int
    expanded: int
    document: int
    record: int
    nesting: int

    @classmethod
    def of(cls, settings: Settings) -> "InputLimits":
        """The settings give MiB."""
        return cls(
            stored=settings.max_object_mib * MIB,
            expanded=settings.max_expanded_mib * MIB,
            document=settings.max_document_mib * MIB,
            record=settings.max_record_mib * MIB,
            nesting=settings.max_nesting,
        )
