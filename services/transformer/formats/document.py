"""One JSON document with a list of records somewhere inside; a page in our envelope, or as its source sent it.

The records are cut out as text in one pass and parsed one by one later, so that a page of 70 MB does not become a
gigabyte of objects.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from services.transformer.content import Content
from shared import lenient_json
from shared.datasets.contract import Raw
from shared.errors import PermanentError

Path = tuple[str, ...]
NO_CONTENT = 204  # HTTP's status of an answer that has no records, and says so


def read(content: bytes, raw: Raw) -> Content:
    """The records of a document. Raises PermanentError for what is not JSON, or has no list where they belong."""
    try:
        strict = _type(raw.RECORDS, raw.COUNT, msgspec.Raw)
        return _content(msgspec.json.decode(content, type=strict), raw, bytes)
    except (msgspec.DecodeError, RecursionError):
        return _read_leniently(content, raw)


def _read_leniently(content: bytes, raw: Raw) -> Content:
    """Of what has a flaw somewhere (NaN, half of a surrogate pair): most likely in one record among good ones."""
    try:
        parsed = msgspec.convert(lenient_json.loads(content), _type(raw.RECORDS, raw.COUNT, Any))
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        place = ".".join(raw.RECORDS) or "its top"
        message = f"not a JSON document with a list of records at {place}: {error}"
        raise PermanentError(message) from error
    return _content(parsed, raw, lambda record: json.dumps(record).encode())


def _content(document: Any, raw: Raw, text: Callable[[Any], bytes]) -> Content:
    if isinstance(document, list):
        return Content(map(text, document))
    if document.replay is not UNSET and document.records is not UNSET:
        return Content(map(text, document.records), replay=_object(document.replay))
    response = document.response
    bare = document if raw.RECORDS else UNSET
    payload = bare if response is UNSET else response.payload
    if payload is None and response.status == NO_CONTENT:
        return Content(iter(()), date=_date(_object(response.headers)), ingest=_object(document.ingest))
    found, announced = _dig(payload, raw.RECORDS), _dig(payload, raw.COUNT) if raw.COUNT else None
    if found is UNSET or payload is None:
        message = f"a JSON document without a list of records at {'.'.join(raw.RECORDS) or 'its top'}"
        raise PermanentError(message)
    return Content(
        map(text, found),
        date=None if response is UNSET else _date(_object(response.headers)),
        ingest={} if response is UNSET else _object(document.ingest),
        announced=announced if isinstance(announced, int) and 0 <= announced < 2**31 else None,
    )


def _date(headers: Mapping[str, Any]) -> str | None:
    """Header names are compared without case."""
    return next((value for name, value in headers.items() if name.lower() == "date" and isinstance(value, str)), None)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dig(node: Any, path: Path) -> Any:
    for name in path:
        node = getattr(node, name, UNSET)
    return node


@cache
def _type(records: Path, count: Path, record: Any) -> Any:
    """What msgspec decodes a document into: nested objects with the fields we want, whatever else there is."""
    if not records:
        payload, fields = list[record], {}
    else:
        fields = _nested({records: list[record], **({count: Any} if count else {})})
        payload = _struct(fields)
    response = _struct({"payload": payload | None, "headers": Any, "status": Any})
    top = _struct({**fields, "response": response, "ingest": Any, "replay": Any, "records": list[record]})
    return top if records else list[record] | top


def _nested(leaves: Mapping[Path, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in {path[0] for path in leaves}:
        below = {path[1:]: kind for path, kind in leaves.items() if path[0] == name}
        fields[name] = below[()] if () in below else _struct(_nested(below))
    return fields


def _struct(fields: Mapping[str, Any]) -> Any:
    return msgspec.defstruct("Object", [(name, kind | UnsetType, UNSET) for name, kind in fields.items()])
