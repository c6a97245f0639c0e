"""What a dataset's folder must offer. The engine finds datasets by their folders and knows none by name.

Each service imports only the modules it needs (`source(…)`, `normalise(…)`, …), so that its image carries only what it
runs.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from shared import datasets, fields
from shared.errors import PermanentError

if TYPE_CHECKING:
    import pandera.polars as pa
    from pydantic import BaseModel
    from sqlalchemy import Table

# One record, normalised: the root table's columns, and under each child table's name a list of that table's rows.
Row = dict[str, Any]
Params = Mapping[str, str]


@dataclass(frozen=True)
class Request:
    """One GET to a source. `headers` may carry secrets and are never stored."""

    url: str
    params: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Part:
    """A slice of a run that the source can page through completely: its own params, its rows and pages."""

    params: fields.Params
    rows: fields.Count
    pages: fields.Count


@dataclass(frozen=True)
class Plan:
    """All parts of a run, and how many distinct records the source announced for the whole of it."""

    parts: tuple[Part, ...]
    announced: int


@dataclass(frozen=True)
class Page:
    """The records of one payload, still raw."""

    records: Sequence[object]


class Source(Protocol):
    """`source.SOURCE`: how to plan a run and ask for its pages."""

    requests_per_second: int
    first_run: Params  # the params of the run that `smelt up` starts on an empty database

    def checked(self, params: Params) -> dict[str, str]:
        """The params as the source spells them. Raises PermanentError for one that it does not know."""

    def plan(self, params: Params, fetch: Callable[[Request], object]) -> Plan:
        """Divide a run into parts. `fetch` performs a request and returns the decoded JSON. Raises PermanentError."""

    def request(self, params: Params, page: int) -> Request:
        """The request for one page of a part; pages count from 1."""


class Raw(Protocol):
    """Module `raw`: the shape of what the source sends."""

    Record: "type[BaseModel]"

    def page(self, payload: object) -> Page:
        """The records in a payload. Raises PermanentError where it has not this dataset's shape."""

    def content(self, record: object) -> object:
        """What of a record counts when asking whether it has changed (not how it was found)."""


class Normalise(Protocol):
    """Module `normalise`: from a validated record to rows, without I/O."""

    VERSION: int  # the transform version: raise it whenever the same record would give other rows

    def normalise(self, record: Any) -> Row:
        """The rows of one record."""


class Gate(Protocol):
    """Module `gate`: {table: rules}. A row of any table that fails a rule rejects its whole record."""

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


def _module(dataset: str, part: str) -> Any:
    check_name(dataset)
    return importlib.import_module(f"shared.datasets.{dataset}.{part}")
