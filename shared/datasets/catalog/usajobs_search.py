"""The Search API as a source: how to divide a run into queries that can be paged through completely.

One query never yields more than 10,000 rows, whatever its pages, so a larger run is divided by organisation, then by
series, until each part fits. A posting of several series appears in several parts; the loader keeps it once.
"""

from collections.abc import Callable, Iterator
from math import ceil
from types import MappingProxyType

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.datasets.dataset import Row
from shared.datasets.source import PageCounts, Params, Part, Plan, Request, UnexpectedAnswerError, record_list
from shared.errors import PermanentError

ROWS_PER_QUERY = 10_000
ROWS_PER_PAGE = 500
DAY = 86_400  # s
# How a query is divided, {parameter: code list}: a hundred organisations cost fewer requests than 650 series.
DIVISIONS = {"Organization": "agencysubelements", "JobCategoryCode": "occupationalseries"}
# Parameters may be given as the API spells them or in snake case: {lower case without "_": API's spelling}.
PARAMETERS = {
    name.lower(): name
    for name in (
        "Keyword", "PositionTitle", "LocationName", "Radius", "JobCategoryCode", "DatePosted", "Organization",
        "RemunerationMinimumAmount", "RemunerationMaximumAmount", "PayGradeHigh", "PayGradeLow",
        "PositionScheduleTypeCode",
        "PositionOfferingTypeCode", "TravelPercentage", "SecurityClearanceRequired", "SupervisoryStatus", "HiringPath",
        "RemoteIndicator", "WhoMayApply", "SortField", "SortDirection",
    )
}  # fmt: skip

PAY = ("minimum_range", "maximum_range", "rate_interval_code")

Fetch = Callable[[Request], object]


def normalise(row: Row) -> Row:
    """The pay in `job` is the first remuneration; `job_remuneration` has them all."""
    first = row["job_remuneration"][0] if row["job_remuneration"] else {}
    row.update({name: first.get(name) for name in PAY})
    return row


class ApiSettings(BaseSettings):
    """Where the API is and who asks. Keys are free: https://developer.usajobs.gov/apirequest/."""

    model_config = SettingsConfigDict(
        env_prefix="SMELT_USAJOBS_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    base_url: str = "https://data.usajobs.gov"
    api_key: SecretStr | None = None
    user_agent: str = ""


class SearchSource:
    """Plans runs and makes requests."""

    requests_per_second = 5  # the API publishes no limit; this fetches all open postings in ten seconds
    lists_all = True  # of what is open
    first_run: Params = MappingProxyType({})  # everything that is open

    def checked(self, params: Params) -> dict[str, str]:
        """Params under the API's own names; paging is ours. Raises PermanentError for others."""
        names = {given: given.replace("_", "").lower() for given in params}
        if unknown := [given for given, name in names.items() if name not in PARAMETERS]:
            known = ", ".join(sorted(PARAMETERS.values()))
            message = f"unknown parameter {', '.join(map(repr, unknown))}; the Search API takes {known}"
            raise PermanentError(message)
        if len(set(names.values())) < len(names):
            message = f"a parameter is given twice: {', '.join(sorted(names))}"
            raise PermanentError(message)
        return {PARAMETERS[name]: params[given] for given, name in names.items()}

    def plan(self, params: Params, fetch: Fetch) -> Plan:
        """Count what the query announces and divide it where it is too large."""
        query = self.checked(params)
        announced = self._count(query, fetch)
        parts = tuple(self._divide(query, announced, fetch, [*DIVISIONS])) if announced else ()
        return Plan(parts, announced)

    def request(self, params: Params, page: int) -> Request:
        """One page of a query, as large as the API allows."""
        return self._search({**params, "ResultsPerPage": str(ROWS_PER_PAGE), "Page": str(page)})

    def check_page(self, payload: object) -> PageCounts:
        """Of a query's rows, those that its pages can bring."""
        rows = min(_total(payload), ROWS_PER_QUERY)
        records = record_list(payload, ("SearchResult", "SearchResultItems"), rows)
        return PageCounts(len(records), rows, ceil(rows / ROWS_PER_PAGE))

    def _divide(self, query: dict[str, str], rows: int, fetch: Fetch, divisions: list[str]) -> Iterator[Part]:
        divisions = [name for name in divisions if name not in query]
        if rows < ROWS_PER_QUERY or not divisions:
            fetchable = min(rows, ROWS_PER_QUERY)
            yield Part(query, fetchable, ceil(fetchable / ROWS_PER_PAGE))
            return
        name, *rest = divisions
        for code in self._codes(DIVISIONS[name], fetch):
            narrower = {**query, name: code}
            if rows := self._count(narrower, fetch):
                yield from self._divide(narrower, rows, fetch, rest)

    def _count(self, query: dict[str, str], fetch: Fetch) -> int:
        return _total(fetch(self._search({**query, "ResultsPerPage": "1", "Page": "1"})))

    def _codes(self, code_list: str, fetch: Fetch) -> list[str]:
        answer = fetch(_request(f"/api/codelist/{code_list}", {}, keep_for=DAY))
        try:
            values = answer["CodeList"][0]["ValidValue"]  # type: ignore[index]
            codes = {value["Code"] for value in values if value.get("IsDisabled") != "Yes"}
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            message = f"USAJOBS answered without the codes of {code_list}"
            raise UnexpectedAnswerError(message) from error
        return sorted(code for code in codes if not _within_another(code, codes))

    def _search(self, query: dict[str, str]) -> Request:
        settings = ApiSettings()
        if settings.api_key is None or "@" not in settings.user_agent:
            message = "USAJOBS needs SMELT_USAJOBS_API_KEY and SMELT_USAJOBS_USER_AGENT (your e-mail address)"
            raise PermanentError(message)
        secrets = {"Authorization-Key": settings.api_key.get_secret_value(), "User-Agent": settings.user_agent}
        return _request("/api/Search", query, secrets)


def _total(answer: object) -> int:
    """The rows of a query, on whatever page."""
    try:
        total = int(answer["SearchResult"]["SearchResultCountAll"])  # type: ignore[index]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        message = "USAJOBS answered without SearchResult.SearchResultCountAll"
        raise UnexpectedAnswerError(message) from error
    if total < 0:
        message = f"USAJOBS answered with a SearchResult.SearchResultCountAll of {total}"
        raise UnexpectedAnswerError(message)
    return total


def _request(path: str, query: dict[str, str], headers: dict[str, str] | None = None, keep_for: int = 0) -> Request:
    return Request(ApiSettings().base_url.rstrip("/") + path, query, headers or {}, keep_for)


def _within_another(code: str, codes: set[str]) -> bool:
    """Whether a department's code covers this one (`AF` covers `AF1M`); series codes cover nothing but themselves."""
    return len(code) > 2 and code[:2] in codes  # noqa: PLR2004 - departments have two letters


SOURCE = SearchSource()
