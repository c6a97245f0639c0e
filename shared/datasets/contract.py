"""What a dataset's folder must offer. The engine finds datasets by their folders and knows none by name.

Each service imports only the modules it needs (`source(…)`, `normalise(…)`, …), so that its image carries only what it
runs.
"""

import contextlib
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from shared import datasets, fields
from shared.datasets import definition
from shared.errors import PermanentError, TransientError

if TYPE_CHECKING:
    import pandera.polars as pa
    from pydantic import BaseModel
    from sqlalchemy import Table

# One record, normalised: the root table's columns, and under each child table's name a list of that table's rows.
Row = dict[str, Any]
Params = Mapping[str, str]


@dataclass(frozen=True)
class Request:
    """One GET to a source. `headers` may carry secrets and are never stored.

    While a run is planned, an answer may be `keep_for` seconds old.
    """

    url: str
    params: dict[str, str]
    headers: dict[str, str]
    keep_for: int = 0


@dataclass(frozen=True)
class Part:
    """A slice of a run that the source can page through completely: its own params, its rows and pages."""

    params: fields.Params
    rows: fields.NonNegativeInt32
    pages: fields.NonNegativeInt32


@dataclass(frozen=True)
class Plan:
    """All parts of a run, and how many distinct records the source announced for the whole of it."""

    parts: tuple[Part, ...]
    expected_records: int


@dataclass(frozen=True)
class BatchLimits:
    """When a batch or a run as a whole is suspicious, whatever its records look like one by one."""

    failed_share: float = 0.5  # a batch with a larger share of failed records is refused ...
    smallest: int = 20  # ... unless it has fewer records than this; a run of fewer is not compared with others
    null_share_rise: float = 0.3  # warn where so much larger a share of records than before lacks a field
    count_fall: float = 0.5  # warn where a run covers less than this share of what runs like it did before


class UnexpectedAnswerError(TransientError):
    """The answer is not of the source's shape (an error message with status 200, say): another try may help."""


@dataclass(frozen=True)
class PageCounts:
    """The records of a page, and what it says of its part: the rows and pages that can be fetched, None if nothing."""

    records: int
    rows: int | None = None
    pages: int | None = None


NO_COUNTS = PageCounts(0)


class Source(Protocol):
    """`source.SOURCE`: how to plan a run and ask for its pages, each by itself."""

    requests_per_second: int
    first_run: Params | None  # the params of the run that `smelt up` starts on an empty database, if any

    lists_all: bool  # whether a run brings all active records of its scope, so that others are inactive

    def checked(self, params: Params) -> dict[str, str]:
        """The params as the source spells them. Raises PermanentError for one that it does not know."""

    def plan(self, params: Params, fetch: Callable[[Request], object]) -> Plan:
        """Divide a run into parts. `fetch` performs a request and returns the decoded JSON.

        Raises PermanentError for wrong params, UnexpectedAnswerError for an answer that it cannot plan with.
        """

    def request(self, params: Params, page: int) -> Request:
        """The request for one page of a part; pages count from 1."""

    def check_page(self, payload: object) -> PageCounts:
        """What a page says of itself. Raises UnexpectedAnswerError for JSON that is not a page of this source.

        Without a list of records it is a page only where it says that there are no rows.
        """


@runtime_checkable
class SequentialSource(Source, Protocol):
    """A source whose pages can only be asked for one after another: each says how to ask for the next."""

    def following(self, params: Params, payload: object) -> dict[str, str] | None:
        """The params that the page after this payload is requested with; None if this was the part's last.

        `params` are the part's own. Raises UnexpectedAnswerError for a payload that is not of this source's shape.
        """


def record_list(payload: object, path: tuple[str, ...], rows: int | None) -> list[object]:
    """The records of a page, at `path`; none where it has no list and there are no `rows`.

    Raises UnexpectedAnswerError for anything else.
    """
    found = payload
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if isinstance(found, list):
        return found
    if found is None and rows == 0:
        return []
    message = f"no list of records at {'.'.join(path)}"
    raise UnexpectedAnswerError(message)


class Raw(Protocol):
    """Module `raw`: the shape of what the source sends."""

    Record: "type[BaseModel]"
    RECORDS: tuple[str, ...]  # where a JSON document has its list of records: names of nested fields
    COUNT: tuple[str, ...]  # ... and the number of records it says it has; empty where it does not say
    TOTAL: tuple[
        str, ...
    ]  # ... and that of all pages of the query; where one of them is 0, the list may be null or absent
    KEY: tuple[str, ...]  # the fields of a record that are its natural key, in the order of the root's primary key
    KNOWN_VALUES: Mapping[str, frozenset[str]]  # {path of a field: its documented values}; others are drift
    IGNORED: frozenset[str]  # paths of fields that are known and deliberately not kept
    VOLATILE: frozenset[str]  # ... and of those that tell how a record was found, and do not count as a change of it
    LIMITS: BatchLimits


class Normalise(Protocol):
    """Module `normalise`: from a validated record to rows, without I/O."""

    VERSION: int  # the transform version: raise it whenever the same record would give other rows

    def normalise(self, record: Any) -> Row:
        """The rows of one record, in a dict that is the caller's."""


class Gate(Protocol):
    """Module `gate`: {table: rules}. A row of any table that fails a rule rejects its whole record.

    A check with `raise_warning=True` only warns: its failures are counted and the record is loaded.
    """

    GATE: "Mapping[str, pa.DataFrameSchema]"


class Tables(Protocol):
    """Module `tables`: where the rows go. The root's primary key is the natural key; children repeat it."""

    ROOT: "Table"
    CHILDREN: "tuple[Table, ...]"
    LAST_SEEN: "Table"


def names() -> tuple[str, ...]:
    """All datasets, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(datasets.__path__) if module.ispkg))


def source(dataset: str) -> Source:
    """How to fetch it. Raises PermanentError for an unknown dataset, or one that has no source (files only)."""
    try:
        return cast("Source", _module(dataset, "source").SOURCE)
    except ModuleNotFoundError as error:
        message = f"dataset {dataset!r} has no source: it is loaded from files"
        raise PermanentError(message) from error


def freshness(dataset: str) -> int | None:
    """Seconds that the newest complete run of all of it may be old: `source.FRESHNESS`. None promises nothing."""
    try:
        return cast("int | None", _module(dataset, "source").FRESHNESS)
    except ModuleNotFoundError:  # it is loaded from files, whenever somebody has one
        return None


def first_runs() -> dict[str, dict[str, str]]:
    """{dataset: params} of what `smelt up` extracts on an empty database."""
    found = {}
    for name in names():
        with contextlib.suppress(PermanentError):  # it is loaded from files
            if (params := source(name).first_run) is not None:
                found[name] = dict(params)
    return found


def raw(dataset: str) -> Raw:
    """Its raw shape. Raises PermanentError for an unknown dataset; likewise the functions below."""
    return cast("Raw", _module(dataset, "raw"))


def normalise(dataset: str) -> Normalise:
    """Its normaliser."""
    return cast("Normalise", _module(dataset, "normalise"))


def gate(dataset: str) -> Gate:
    """Its quality gate."""
    return cast("Gate", _module(dataset, "gate"))


def tables(dataset: str) -> Tables:
    """Its tables."""
    return cast("Tables", _module(dataset, "tables"))


def check_name(dataset: str) -> None:
    """Raises PermanentError for an unknown dataset."""
    if dataset not in names():
        message = f"no dataset {dataset!r}; known: {', '.join(names())}"
        raise PermanentError(message)


@cache
def _module(dataset: str, part: str) -> Any:
    check_name(dataset)
    definition.loaded(dataset)  # before they are read: a change from here on is noticed
    return importlib.import_module(f"shared.datasets.{dataset}.{part}")
