"""What a case of the poison corpus is, and how its postings are made."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

EXTRACT, BRONZE, SILVER = "extract", "bronze", "silver"
OF_UPLOADS = "uploads"  # where S3 publishes the events of uploads and replays
UPLOAD = "upload"
UPLOADS = "uploads/usajobs_search/"
FLAT_UPLOADS = "uploads/usajobs_historic/"  # of a dataset whose records are flat enough for CSV
NUMBERS = 1_000  # control numbers that belong to one case
FIRST_NUMBER = 10**12  # far above real ones
NEIGHBOURS = (1, 2)  # offsets of the good postings in the same object
POISON = 10  # offset of the first bad posting
PADDING = 500  # offset of the first good posting that is there only because most must be
VERBATIM = re.compile(r'"<<(.*?)>>"', re.DOTALL)

Posting = dict[str, Any]
Body = Callable[[int], bytes | str]  # from the first control number of the case


@dataclass(frozen=True)
class Lands:
    """In silver: {offset of the control number: title}. All its records are rows, some perhaps of the same posting."""

    titles: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Quarantined:
    """These records, and no others, are in quarantine: {record index: pattern of the first rule}."""

    rules: Mapping[int, str]


@dataclass(frozen=True)
class DeadLetter:
    """In the dead-letter queue of `queue` at the first attempt, with an error message that matches the pattern."""

    reason: str
    queue: str = OF_UPLOADS


@dataclass(frozen=True)
class Ignored:
    """Acknowledged: no row, no rejected record, no dead letter."""


Ending = Lands | Quarantined | DeadLetter | Ignored


@dataclass(frozen=True, eq=False)
class Case:
    """One poisonous thing. `name` is the test's id; `extra` goes to put_object or send_message.

    `neighbours` are offsets of good postings in the same object, which must land whatever becomes of the others.
    """

    name: str
    body: Body
    ends: Ending
    place: str = UPLOAD
    key: str = ""
    neighbours: tuple[int, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """The first of the control numbers that belong to the case."""
        return FIRST_NUMBER + crc32(self.name.encode()) * NUMBERS

    @property
    def object_key(self) -> str:
        """Where an upload goes."""
        return self.key or f"{UPLOADS}poison/{self.name}"


def posting(number: object, title: object = "Smelter", details: Any = None, **descriptor: object) -> Posting:
    """A good posting, but for what is given."""
    return {
        "MatchedObjectId": number,
        "MatchedObjectDescriptor": {
            "PositionID": f"POISON-{number}"[:100],
            "PositionTitle": title,
            "UserArea": {"Details": details or {}},
            **descriptor,
        },
    }


def response(*records: object) -> Posting:
    """A Search response with these items."""
    return {"SearchResult": {"SearchResultItems": list(records)}}


def envelope(records: list[object], **parts: object) -> Posting:
    """The extractor's envelope round a response; `parts` replace its own."""
    return {"request": {}, "response": {"status": 200, "headers": {}, "payload": response(*records)}, **parts}


def verbatim(text: str) -> str:
    """A value that stands in the JSON exactly so."""
    return f"<<{text}>>"


def written(content: object) -> bytes:
    """As JSON: NaN, lone surrogates and verbatim values included."""
    return VERBATIM.sub(lambda match: json.loads(f'"{match[1]}"'), json.dumps(content)).encode()


def beside(*make: Callable[[int], object]) -> Body:
    """A page of the records that these make of their control numbers, among good ones: as many, or it is refused."""

    def body(first: int) -> bytes:
        poison = [one(first + POISON + n) for n, one in enumerate(make)]
        rest = [posting(first + PADDING + n) for n in range(len(make) - len(NEIGHBOURS))]
        return written(response(posting(first + NEIGHBOURS[0]), *poison, posting(first + NEIGHBOURS[1]), *rest))

    return body


def records(name: str, rule: str, *make: Callable[[int], object]) -> Case:
    """A page on which these records, and no others, are rejected by `rule`."""
    rules = dict.fromkeys(range(1, len(make) + 1), rule)
    return Case(name, beside(*make), Quarantined(rules), neighbours=NEIGHBOURS)


def rows(name: str, *make: Callable[[int], object], titles: Mapping[int, str] | None = None) -> Case:
    """A page on which everything is strange and nothing is wrong."""
    expected = {POISON + n: "Smelter" for n in range(len(make))} if titles is None else titles
    return Case(name, beside(*make), Lands(expected), neighbours=NEIGHBOURS)


def refused(name: str, reason: str, body: Body, **fields: Any) -> Case:
    """A file that becomes a dead letter of the transformer."""
    return Case(name, body, DeadLetter(reason), **fields)


def good(first: int) -> bytes:
    """A page with one good posting."""
    return written(response(posting(first + POISON)))


GOOD = Lands({POISON: "Smelter"})
