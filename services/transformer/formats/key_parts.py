"""Fields whose values are in the key of an upload: `uploads/<dataset>/day=2026-01-02/x.csv`, as Hive writes them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import unquote

import orjson

from services.transformer.content import Content, Encoded
from shared.datasets.dataset import Dataset

NULL = "__HIVE_DEFAULT_PARTITION__"


def with_key_parts(content: Content, key: str, dataset: Dataset) -> Content:
    """The content with these fields in each record. A record's own field of that name counts."""
    parts = {name: value for name, value in _parts(key).items() if name in dataset.key_parts}
    if not parts:
        return content
    return replace(content, records=_extended(content.records, orjson.dumps(parts)[:-1]))


def _parts(key: str) -> Mapping[str, str | None]:
    pairs = (folder.partition("=") for folder in key.split("/")[:-1] if "=" in folder)
    return {unquote(name): None if value == NULL else unquote(value) for name, _, value in pairs}


def _extended(records: Iterator[Encoded], begin: bytes) -> Iterator[Encoded]:
    """The parts come first: of two fields of one name the last counts, and what is damaged stays so."""
    for record in records:
        if isinstance(record, bytes) and record.startswith(b"{"):
            rest = record[1:]
            yield begin + (rest if rest.strip().startswith(b"}") else b"," + rest)
        else:
            yield record
