"""Whether readers may see a property, by its classification."""

from collections.abc import Iterator

from open_data_contract_standard.model import SchemaProperty

WITHHELD = frozenset(("confidential", "restricted"))


def is_withheld(item: SchemaProperty, *, readable: bool | None) -> bool:
    """Whether the property, or one nested in it, has such a classification; `readable` overrides that."""
    if readable is not None:
        return not readable
    return any((nested.classification or "").strip().lower() in WITHHELD for nested in _nested(item))


def _nested(item: SchemaProperty) -> Iterator[SchemaProperty]:
    yield item
    for inner in (*(item.properties or ()), *([item.items] if item.items else ())):
        yield from _nested(inner)
