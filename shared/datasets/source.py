"""Sources: how a run of a dataset is planned and how its pages are requested."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from shared import fields
from shared.errors import TransientError

if TYPE_CHECKING:
    import httpx

Params = Mapping[str, str]
StatusRule = Literal["retry", "fail", "empty"]  # try again; dead letter at once; a page without records


@dataclass(frozen=True)
class Request:
    """One request to a source. `headers` and `auth` may carry secrets and are never stored.

    While a run is planned, an answer may be `keep_for` seconds old.
    """

    url: str
    params: dict[str, str]
    headers: dict[str, str]
    keep_for: int = 0
    body: Any = None  # JSON; a request with a body is a POST, one without a GET
    auth: "httpx.Auth | None" = None
    statuses: Mapping[int, StatusRule] = field(default_factory=dict)  # that mean something else than they usually do
    keep_headers: tuple[str, ...] = ()  # of the response: stored with it, as the next page needs them
    record_fields: Mapping[str, str] = field(
        default_factory=dict
    )  # that every record of the page gets, such as a parent's id


@dataclass(frozen=True)
class ReceivedPage:
    """A page as bronze has it. `request` is without what is never stored; names of `headers` are in small letters."""

    request: Request
    headers: Mapping[str, str]
    payload: object


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

    def following(self, params: Params, page: ReceivedPage) -> dict[str, str] | None:
        """The params that the page after this one is requested with; None if this was the part's last.

        `params` are the part's own. Raises UnexpectedAnswerError for a page that is not of this source's shape.
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
