"""A REST API that is described in the contract, as a source whose pages are requested one after another."""

import os
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import product
from math import ceil
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from shared.datasets import rest_pagination, rest_parents
from shared.datasets.contract.options import ContractOptions
from shared.datasets.contract.source_options import (
    TEMPLATE,
    ApiKeyAuth,
    HeaderToken,
    LinkHeader,
    NextLink,
    Offset,
    PageNumber,
    SourceOptions,
)
from shared.datasets.json_path import value_at, with_value
from shared.datasets.run_dates import with_dates
from shared.datasets.source import PageCounts, Params, Part, Plan, ReceivedPage, Request, record_list
from shared.errors import PermanentError

if TYPE_CHECKING:
    import httpx

POSITION = "@position"  # of a page that is not the first: its number, offset, cursor or URL; no param has this name


class RestSource:
    """Plans runs and makes requests from the options of a contract."""

    def __init__(self, options: ContractOptions) -> None:
        assert options.source is not None  # noqa: S101 - Dataset.source has looked
        self._contract = options
        self._options: SourceOptions = options.source
        self.requests_per_second = self._options.requests_per_second
        self.first_run: Params | None = self._options.first_run
        self.lists_all = self._options.full_listing

    def checked(self, params: Params) -> dict[str, str]:
        """Raises PermanentError for a param that is unknown, missing, or none of the values that it may have."""
        known = self._options.known_params
        missing = [name for name, default in known.items() if default is None and not params.get(name)]
        if missing or set(params) - set(known):
            message = f"runs take {', '.join(map(_described, known, known.values())) or 'no params'}"
            raise PermanentError(message)
        for name, value in params.items():
            if isinstance(values := known[name], tuple) and value not in values:
                message = f"{name} is one of {', '.join(values)}, not {value!r}"
                raise PermanentError(message)
        return dict(params)

    def plan(self, params: Params, fetch: Callable[[Request], object]) -> Plan:
        """A part for each combination of values, and each parent. Dates are those of now; a retry requests the same.

        What the source announces is on its pages, and is added to the plan's zero.
        """
        values = {**self._options.known_params, **self.checked(params)}
        choices = [value if isinstance(value, tuple) else (with_dates(value or ""),) for value in values.values()]
        chosen = (dict(zip(values, choice, strict=True)) for choice in product(*choices))
        parts = (part for of_run in chosen for part in self._parts(of_run, fetch))
        return Plan(tuple(Part(part, rows=0, pages=1) for part in parts), expected_records=0)

    def _parts(self, params: dict[str, str], fetch: Callable[[Request], object]) -> Iterator[dict[str, str]]:
        parent = self._options.parent
        if parent is None:
            yield params
            return
        listing = RestSource(rest_parents.listing_options(self._contract, parent))
        for fields in rest_parents.parents(listing, parent, params, fetch):
            yield {**params, **fields}

    def request(self, params: Params, page: int) -> Request:  # noqa: ARG002 - a page is where its position points
        """The first page of a part, or the one at the position in `params`."""
        values = {name: value for name, value in params.items() if name != POSITION}
        position = params.get(POSITION)
        query, body = self._query(values), _filled(self._options.body, values)
        url = self._base_url + _filled(self._options.path, {name: quote(value, "") for name, value in values.items()})
        if position is not None and isinstance(self._options.pagination, (NextLink, LinkHeader)):
            url, query = self._without_key(position), {}
        for place, path, value in self._positions(position):
            if place == "body":
                body = with_value(body, path, value)
            else:
                query[".".join(path)] = str(value)
        return Request(
            url,
            query,
            {name: _filled(value, values) for name, value in self._options.headers.items()},
            body=body,
            auth=self._auth,
            statuses=self._options.statuses,
            keep_headers=self._kept_headers,
            record_fields={
                name: values[name] for name in (self._options.parent.fields if self._options.parent else ())
            },
        )

    def check_page(self, payload: object) -> PageCounts:
        """Its records, and what it announces."""
        announced = value_at(payload, self._contract.total) if self._contract.total else None
        rows = announced if type(announced) is int and announced >= 0 else None
        size = getattr(self._options.pagination, "size", None)
        records = record_list(payload, self._contract.records, rows)
        return PageCounts(len(records), rows, ceil(rows / size) if rows is not None and size else None)

    def following(self, params: Params, page: ReceivedPage) -> dict[str, str] | None:
        """The part's params and the position of the page after this one; None after the last."""
        position = rest_pagination.next_position(self._options.pagination, page, self.check_page(page.payload))
        return None if position is None else {**params, POSITION: position}

    @property
    def _base_url(self) -> str:
        setting = self._options.base_url_setting
        return ((setting and os.environ.get(setting)) or self._options.base_url).rstrip("/")

    @cached_property
    def _auth(self) -> "httpx.Auth | None":
        if self._options.auth is None:
            return None
        from shared.datasets import rest_auth

        return rest_auth.auth(self._options.auth)

    @property
    def _kept_headers(self) -> tuple[str, ...]:
        match self._options.pagination:
            case LinkHeader():
                return (rest_pagination.LINK,)
            case HeaderToken(header=header):
                return (header.lower(),)
        return ()

    def _query(self, values: Params) -> dict[str, str]:
        filled = {name: _filled(value, values) for name, value in self._options.params.items()}
        return {name: value for name, value in filled.items() if value}

    def _positions(self, position: str | None) -> Iterator[tuple[str, tuple[str, ...], str | int]]:
        """Where a request says which page it is for: (query or body, path, value)."""
        options = self._options.pagination
        if isinstance(options, (PageNumber, Offset)):
            yield options.place, options.param, int(position or options.first)
            if options.size and options.size_param:
                yield options.place, options.size_param, options.size
        elif position is not None and not isinstance(options, (NextLink, LinkHeader)):
            yield options.place, options.param, position  # type: ignore[union-attr]

    def _without_key(self, url: str) -> str:
        """A link without the key that some sources repeat in it: the URL of a request is stored."""
        options, parts = self._options.auth, urlsplit(url)
        if not isinstance(options, ApiKeyAuth) or options.query_param is None:
            return url
        query = [item for item in parse_qsl(parts.query, keep_blank_values=True) if item[0] != options.query_param]
        return parts._replace(query=urlencode(query)).geturl()


def _filled(template: Any, values: Params) -> Any:
    """A text, or all texts of a JSON value, with the params' values; other braces stay."""
    if isinstance(template, str):
        return TEMPLATE.sub(lambda match: values.get(match[1], match[0]), template)
    if isinstance(template, dict):
        return {name: _filled(value, values) for name, value in template.items()}
    return [_filled(value, values) for value in template] if isinstance(template, list) else template


def _described(name: str, default: str | tuple[str, ...] | None) -> str:
    if isinstance(default, tuple):
        return f"{name}={'|'.join(default)}"
    return f"{name} (required)" if default is None else name
