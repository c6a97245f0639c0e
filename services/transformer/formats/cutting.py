"""Cuts a JSON document into the values one wants of it, without judging what is inside of them.

A record may hold what JSON forbids (a raw tab, a bad escape, half of a character, NaN): as long as its quotes and
brackets pair up, its end can be told, and the flaw is its own. In one pass, without recursion.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from shared import lenient_json

SPACE = re.compile(rb"[ \t\r\n]*+")
TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
SCALAR = re.compile(rb'[^][{}",:\s]++')
TO_BRACKET = re.compile(rb'(?:[^][{}"]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
ENDS = {b"{"[0]: b"}"[0], b"["[0]: b"]"[0]}
QUOTE = b'"'[0]


class Records:
    """In a tree of what is wanted: the list of records, which is cut into their texts."""


class Value:
    """In a tree of what is wanted: a value, which is parsed."""


Wanted = Mapping[str, Any] | type[Records] | type[Value]  # objects by the names of their fields


class CutError(ValueError):
    """The document's own structure is broken."""

    def __init__(self, problem: str, at: int) -> None:
        super().__init__(f"{problem} at byte {at}")


def cut(text: bytes, wanted: Wanted) -> Any:
    """The wanted parts as a tree of dicts. Also a list in place of the root is taken for the list of records.

    What is not there, or is of another kind, is not in the tree. Raises CutError.
    """
    value, end = _value(text, _space(text, 0), wanted, root=True)
    if (rest := _space(text, end)) < len(text):
        problem = "more follows the document"
        raise CutError(problem, rest)
    return value


def _value(text: bytes, at: int, wanted: Wanted, *, root: bool = False) -> tuple[Any, int]:
    begin = text[at : at + 1]
    if begin == b"[" and (root or wanted is Records):
        return _records(text, _space(text, at + 1))
    if begin == b"{" and isinstance(wanted, Mapping):
        return _object(text, at, wanted)
    end = _end(text, at)
    if wanted is Value:
        return _parsed(text[at:end]), end
    return None if text[at:end] == b"null" else UNSET, end


def _object(text: bytes, at: int, wanted: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    fields: dict[str, Any] = {}
    at = _space(text, at + 1)
    while text[at : at + 1] != b"}":
        name = TEXT.match(text, at)
        if name is None:
            raise _broken(text, at, "the name of a field")
        at = _space(text, _closed(text, name.end(), b":"))
        below = wanted.get(_name(name[0]))
        value, at = _value(text, at, below) if below is not None else (UNSET, _end(text, at))
        if value is not UNSET:
            fields[_name(name[0])] = value
        at = _space(text, at)
        if text[at : at + 1] == b",":
            at = _space(text, at + 1)
            if text[at : at + 1] == b"}":
                raise _broken(text, at, "the name of a field")
        elif text[at : at + 1] != b"}":
            raise _broken(text, at, "a comma")
    return fields, at + 1


def _records(text: bytes, at: int) -> tuple[list[bytes], int]:
    """The items of a list that begins here, after its bracket."""
    records: list[bytes] = []
    while records or text[at : at + 1] != b"]":
        end = _end(text, at)
        records.append(text[at:end])
        at = _space(text, end)
        if text[at : at + 1] != b",":
            break
        at = _space(text, at + 1)
    return records, _closed(text, at, b"]")


def _parsed(text: bytes) -> Any:
    try:
        return lenient_json.loads(text)
    except ValueError:
        return UNSET


def _end(text: bytes, at: int) -> int:
    """Where the value that begins here ends."""
    begin = text[at] if at < len(text) else None
    if begin not in ENDS:
        match = (TEXT if begin == QUOTE else SCALAR).match(text, at)
        if match is None:
            raise _broken(text, at, "a value")
        return match.end()
    opened = bytearray()
    while True:
        if at >= len(text) or text[at] == QUOTE:
            raise _broken(text, at, "the end of what is open")
        if text[at] in ENDS:
            opened.append(ENDS[text[at]])
        elif text[at] != opened.pop():
            raise _broken(text, at, "another bracket")
        at += 1
        if not opened:
            return at
        at = _bracket(text, at)


def _bracket(text: bytes, at: int) -> int:
    match = TO_BRACKET.match(text, at)
    return match.end() if match else at


def _space(text: bytes, at: int) -> int:
    match = SPACE.match(text, at)
    return match.end() if match else at


def _closed(text: bytes, at: int, mark: bytes) -> int:
    at = _space(text, at)
    if text[at : at + 1] != mark:
        raise _broken(text, at, mark.decode())
    return at + 1


def _name(text: bytes) -> str:
    try:
        return msgspec.json.decode(text, type=str)
    except ValueError:
        return ""


def _broken(text: bytes, at: int, expected: str) -> CutError:
    return CutError(f"it ends where {expected} should be" if at >= len(text) else f"no {expected}", min(at, len(text)))
