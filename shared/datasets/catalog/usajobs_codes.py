"""The code lists as a source: a request each, no key needed."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.datasets.source import PageCounts, Params, Part, Plan, Request, record_list
from shared.errors import PermanentError

LISTS = (
    "agencysubelements",
    "hiringpaths",
    "occupationalseries",
    "positionofferingtypes",
    "positionscheduletypes",
    "remunerationrateintervalcodes",
    "securityclearances",
    "travelpercentages",
)


class ApiSettings(BaseSettings):
    """Where the API is."""

    model_config = SettingsConfigDict(env_prefix="SMELT_USAJOBS_", env_ignore_empty=True, frozen=True)

    base_url: str = "https://data.usajobs.gov"


class CodeListSource:
    """Plans runs and makes requests. The one param is `list`; without it all lists are fetched."""

    requests_per_second = 5
    lists_all = False  # a list is asked for by its name
    first_run: Mapping[str, str] = MappingProxyType({})

    def checked(self, params: Params) -> dict[str, str]:
        """Raises PermanentError for another param, or a list that we do not know."""
        if set(params) - {"list"} or params.get("list", LISTS[0]) not in LISTS:
            message = f"code lists take one param: list={'|'.join(LISTS)}"
            raise PermanentError(message)
        return dict(params)

    def plan(self, params: Params, _fetch: Callable[[Request], object]) -> Plan:
        """A part a list."""
        lists = [self.checked(params)["list"]] if params else LISTS
        return Plan(tuple(Part({"list": name}, rows=1, pages=1) for name in lists), expected_records=len(lists))

    def request(self, params: Params, _page: int) -> Request:
        """A list has one page."""
        return Request(f"{ApiSettings().base_url.rstrip('/')}/api/codelist/{params['list']}", {}, {})

    def check_page(self, payload: object) -> PageCounts:
        """It does not say how many it has."""
        return PageCounts(len(record_list(payload, ("CodeList",), rows=None)))


SOURCE = CodeListSource()
