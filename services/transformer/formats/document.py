"""One JSON document with a list of records somewhere inside.

The records are cut out as text in one pass and parsed one by one later, so that a page of 70 MB does not become a
gigabyte of objects.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from services.transformer.content import Content
from services.transformer.formats.added_fields import with_fields
from services.transformer.formats.cutting import CutError, Records, Value, Wanted, cut
from shared.datasets.dataset import Dataset
from shared.errors import PermanentError

Path = tuple[str, ...]
NO_CONTENT = 204  # HTTP's status of an answer that has no records, and says so


def read_page(content: bytes, dataset: Dataset) -> Content:
    """The records of a page as the extractor stores it. Raises PermanentError for what is none, or has no list."""
    page = _parsed(content, _page_layout(dataset.records_path, dataset.count_path, dataset.total_path), _place(dataset))
    response = _field(page, "response")
    payload = _field(response, "payload")
    if isinstance(page, list) or response is UNSET or response is None:
        message = "not the envelope of a page or a replay: it has no response"
        raise PermanentError(message)
    if payload is None and _field(response, "status") == NO_CONTENT:
        return Content(iter(()), date=_date(response), ingest=_object(page, "ingest"))
    records, expected_records = _list(payload, dataset)
    ingest = _object(page, "ingest")
    whole = with_fields(map(bytes, records), ingest.get("fields"))
    return Content(whole, date=_date(response), ingest=ingest, expected_records=expected_records)


def read_replay(content: bytes) -> Content:
    """The records that `smelt replay` takes out of quarantine. Raises PermanentError for what is no such object."""
    replay = _parsed(content, _replay_layout(), "records")
    records = _field(replay, "records")
    if not isinstance(records, list):
        message = "not the envelope of a page or a replay: it has not a list of records at records"
        raise PermanentError(message)
    return Content(map(bytes, records), replay=_object(replay, "replay"))


def read_upload(content: bytes, dataset: Dataset) -> Content:
    """The records of a document that anybody may have made: its list, or itself as one. Raises PermanentError."""
    document = _parsed(
        content, _upload_layout(dataset.records_path, dataset.count_path, dataset.total_path), _place(dataset)
    )
    try:
        records, expected_records = _list(document, dataset)
    except PermanentError:
        if not _is_record(content, dataset):
            raise
        return Content(iter((content.strip(),)))
    return Content(map(bytes, records), expected_records=expected_records)


def has_list(content: bytes, dataset: Dataset) -> bool:
    """Whether this is a document with a list of records, rather than a record."""
    try:
        read_upload(content, dataset)
    except PermanentError:
        return False
    return not _is_record(content, dataset)


def _is_record(content: bytes, dataset: Dataset) -> bool:
    """Whether the natural key of a record is at its top."""
    try:
        fields = cut(content, dict.fromkeys(dataset.content_key, Value))
    except ValueError:
        return False
    return isinstance(fields, dict) and fields.keys() == set(dataset.content_key)


def _parsed(content: bytes, layout: "_Layout", place: str) -> Any:
    """The wanted parts: quickly where all of it is JSON as expected, or cut with the patience of `cutting`."""
    try:
        return msgspec.json.decode(content, type=layout.type)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        pass
    try:
        return cut(content, layout.wanted)
    except CutError as error:
        message = f"not a JSON document with a list of records at {place}: {error}"
        raise PermanentError(message) from error


def _list(document: Any, dataset: Dataset) -> tuple[list[bytes], int | None]:
    """The records, and their number as the document announces it."""
    if isinstance(document, list):
        return document, None
    records, count, total = (
        _dig(document, path) for path in (dataset.records_path, dataset.count_path, dataset.total_path)
    )
    expected_records = count if type(count) is int and 0 <= count < 2**31 else None
    if isinstance(records, list) and dataset.records_path:
        return records, expected_records
    if records in (None, UNSET) and 0 in (count, total):  # how some sources say that they have nothing
        return [], expected_records
    message = f"a JSON document without a list of records at {_place(dataset)}"
    raise PermanentError(message)


def _place(dataset: Dataset) -> str:
    return ".".join(dataset.records_path) or "its top"


def _date(response: Any) -> str | None:
    """Header names are compared without case."""
    headers = _object(response, "headers")
    return next((value for name, value in headers.items() if name.lower() == "date" and isinstance(value, str)), None)


def _object(node: Any, name: str) -> dict[str, Any]:
    value = _field(node, name)
    return value if isinstance(value, dict) else {}


def _dig(node: Any, path: Path) -> Any:
    if not path:
        return UNSET
    for name in path:
        node = _field(node, name)
    return node


def _field(node: Any, name: str) -> Any:
    return node.get(name, UNSET) if isinstance(node, dict) else getattr(node, name, UNSET)


@dataclass(frozen=True)
class _Layout:
    """What is wanted of a document, and the type that msgspec decodes it into."""

    wanted: Wanted
    type: Any

    @classmethod
    def of(cls, wanted: Wanted) -> "_Layout":
        return cls(wanted, list[msgspec.Raw] | _struct(wanted))


@cache
def _page_layout(records: Path, count: Path, total: Path) -> _Layout:
    response = {"payload": _answer(records, count, total) or Records, "headers": Value, "status": Value}
    return _Layout.of({"response": response, "ingest": Value})


@cache
def _upload_layout(records: Path, count: Path, total: Path) -> _Layout:
    return _Layout.of(_answer(records, count, total))


@cache
def _replay_layout() -> _Layout:
    return _Layout.of({"replay": Value, "records": Records})


def _answer(records: Path, count: Path, total: Path) -> dict[str, Any]:
    return _nested({path: kind for path, kind in ((total, Value), (count, Value), (records, Records)) if path})


def _nested(leaves: Mapping[Path, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in {path[0] for path in leaves}:
        below = {path[1:]: kind for path, kind in leaves.items() if path[0] == name}
        fields[name] = below[()] if () in below else _nested(below)
    return fields


def _struct(wanted: Any) -> Any:
    if wanted is Records:
        return list[msgspec.Raw] | None
    if wanted is Value:
        return Any
    fields = [(name, _struct(below) | UnsetType, UNSET) for name, below in wanted.items()]
    return msgspec.defstruct("Object", fields) | None
