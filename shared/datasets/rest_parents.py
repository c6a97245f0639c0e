"""The parents of a REST source: a listing whose every record is a part of the run."""

from collections.abc import Callable, Iterator
from typing import Any

from shared.datasets.contract.options import ContractOptions
from shared.datasets.contract.source_options import ParentOptions
from shared.datasets.json_path import Path, value_at
from shared.datasets.source import Params, ReceivedPage, Request, SequentialSource, record_list
from shared.errors import PermanentError


def listing_options(contract: ContractOptions, parent: ParentOptions) -> ContractOptions:
    """The options of the listing as a source of its own."""
    assert contract.source is not None  # noqa: S101 - it has the parent
    changed = {name: getattr(parent, name) for name in ("path", "params", "pagination")}
    source = contract.source.model_copy(update={**changed, "body": None, "parent": None})
    return contract.model_copy(update={"source": source, "records": parent.records, "total": (), "count": ()})


def parents(
    listing: SequentialSource, parent: ParentOptions, params: Params, fetch: Callable[[Request], object]
) -> list[dict[str, str]]:
    """The params of each parent, once, in the order of the listing.

    Raises PermanentError for more parents than the limit, for one without a field, and for a listing that does not end.
    """
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for record in _records(listing, parent, params, fetch):
        fields = {name: _text(record, path) for name, path in parent.fields.items()}
        rows[tuple(fields.values())] = fields
        if len(rows) > parent.limit:
            message = (
                f"{parent.path} lists more than {parent.limit} parents: raise parent.limit, or divide them by runParams"
            )
            raise PermanentError(message)
    return list(rows.values())


def _records(
    listing: SequentialSource, parent: ParentOptions, params: Params, fetch: Callable[[Request], object]
) -> Iterator[object]:
    position: Params | None = params
    requested: list[Params] = []
    while position is not None:
        if position in requested or len(requested) > parent.limit:
            message = (
                f"{parent.path}: page {len(requested)} of the listing leads back to an earlier one, or it does not end"
            )
            raise PermanentError(message)
        requested.append(position)
        request = listing.request(position, len(requested))
        payload = fetch(request)
        if payload is None:  # an answer without content
            return
        yield from record_list(payload, parent.records, None)
        position = listing.following(params, ReceivedPage(request, {}, payload))


def _text(record: object, path: Path) -> str:
    value: Any = value_at(record, path)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
        message = f"a parent has no text or whole number at {'.'.join(path)}: its records cannot be requested"
        raise PermanentError(message)
    return str(value).strip()
