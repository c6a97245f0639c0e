"""Limits on the size of input."""

from dataclasses import dataclass

from shared.config.settings import Settings

MIB = 1 << 20


@dataclass(frozen=True)
class InputLimits:
    """Maximum bytes of an object as stored and decompressed, of a JSON document and of a record; maximum nesting."""

    stored: int
    expanded: int
    document: int
    record: int
    nesting: int

    @classmethod
    def of(cls, settings: Settings) -> "InputLimits":
        """From the settings, which are in MiB."""
        return cls(
            stored=settings.max_object_mib * MIB,
            expanded=settings.max_expanded_mib * MIB,
            document=settings.max_document_mib * MIB,
            record=settings.max_record_mib * MIB,
            nesting=settings.max_nesting,
        )
