"""A REST API as a contract describes it: the option `source` of the custom property `smelt`."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from shared.datasets.contract.option_model import OptionModel, Path

TEMPLATE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")  # the value of a run's param
SETTING = re.compile(r"[A-Z][A-Z0-9_]*")


def _setting(name: str) -> str:
    if not SETTING.fullmatch(name):
        message = "expected the NAME of a setting, such as WEATHER_TOKEN; a contract contains no secrets"
        raise ValueError(message)
    return name


def _text(value: Any) -> Any:
    """Numbers and booleans as a URL has them."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else value


Setting = Annotated[str, AfterValidator(_setting)]  # the name of an environment variable, or of a secret's file
Text = Annotated[str, BeforeValidator(_text)]
RunParam = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+[^\s?#@]*$")]
Status = Annotated[int, Field(ge=300, le=599)]


class BearerAuth(OptionModel):
    """`Authorization: Bearer …`."""

    type: Literal["bearer"]
    token: Setting
    """The setting with the token."""


class ApiKeyAuth(OptionModel):
    """A key in a header or in a query parameter."""

    type: Literal["apiKey"]
    key: Setting
    """The setting with the key."""
    header: str | None = None
    """The header that the key is sent in."""
    query_param: str | None = None
    """The parameter of the query that the key is sent in."""

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if (self.header is None) == (self.query_param is None):
            message = "a key has one place: header or queryParam"
            raise ValueError(message)
        return self


class BasicAuth(OptionModel):
    """User name and password."""

    type: Literal["basic"]
    username: Setting
    """The setting with the user name."""
    password: Setting
    """The setting with the password."""


class OAuth2Auth(OptionModel):
    """OAuth 2 client credentials (RFC 6749, 4.4)."""

    type: Literal["oauth2"]
    token_url: HttpUrl
    """Where tokens are requested."""
    client_id: Setting
    """The setting with the client's id."""
    client_secret: Setting
    """The setting with the client's secret."""
    scope: str | None = None
    """The scope that is requested."""
    credentials: Literal["header", "body"] = Field("header", alias="in")
    """Where the client's id and secret are sent."""
    params: Mapping[str, Text] = {}
    """Further fields of the token request, such as `audience`."""


class _Positioned(OptionModel):
    """Pagination by a value that each request sends: a query parameter, or a field of the body."""

    param: Path
    """The parameter of the query, or the field of the body."""
    place: Literal["query", "body"] = Field("query", alias="in")
    """Where it is sent."""


class PageNumber(_Positioned):
    """Pages have numbers. The last is an empty page, or the one that `total` or `pages` says."""

    type: Literal["page"]
    first: int = 1
    """The number of the first page."""
    size: int | None = Field(None, ge=1)
    """Records of a full page; needed to know the last page from `total`."""
    size_param: Path = ()
    """The parameter that asks for pages of this size."""
    pages: Path = ()
    """Where a page says how many there are."""


class Offset(_Positioned):
    """Each request says how many records to skip. The last page is an empty one, or the one that `total` says."""

    type: Literal["offset"]
    first: int = 0
    """The offset of the first page."""
    size: int | None = Field(None, ge=1)
    """Records of a full page."""
    size_param: Path = ()
    """The parameter that asks for pages of this size."""


class CursorPagination(_Positioned):
    """A page has the cursor of the next one at `cursor`; the last has none, or an empty one."""

    type: Literal["cursor"]
    cursor: Path = Field(min_length=1)
    """Where a page has the cursor of the next one."""


class HeaderToken(_Positioned):
    """A response has the token of the next page in a header; the last has none."""

    type: Literal["headerToken"]
    header: str
    """The header with the token."""


class NextLink(OptionModel):
    """A page has the URL of the next one at `link`; the last has none, or an empty one."""

    type: Literal["nextLink"]
    link: Path = Field(min_length=1)
    """Where a page has the link to the next one."""


class LinkHeader(OptionModel):
    """A response has the URL of the next page in its `Link` header, with rel="next" (RFC 8288)."""

    type: Literal["linkHeader"]


class OnePage(OptionModel):
    """There is one page."""

    type: Literal["none"] = "none"


Auth = Annotated[BearerAuth | ApiKeyAuth | BasicAuth | OAuth2Auth, Field(discriminator="type")]
Pagination = Annotated[
    PageNumber | Offset | CursorPagination | HeaderToken | NextLink | LinkHeader | OnePage, Field(discriminator="type")
]
# Those by which the JSON of a page leads to the next one: planning a run has no headers of responses.
ParentPagination = Annotated[PageNumber | Offset | CursorPagination | NextLink | OnePage, Field(discriminator="type")]


class IncrementalOptions(OptionModel):
    """A run requests what has changed since the newest cursor of the complete runs before it."""

    cursor: Path = Field(min_length=1)
    """A field of a record: of a property that is a date, a timestamp or an integer."""
    param: RunParam
    """A param of the run; a template `{param}` says where the source takes it."""
    overlap: Annotated[Text, StringConstraints(pattern=r"^[0-9]{1,9}[dhms]?$")] | None = None
    """How far a run goes back before the cursor: `1d`, or a number."""
    initial: Text | None = None
    """The value of the first run; without it the param is empty."""
    format: str | None = None
    """The format of the param, if it is not that of the property."""


class ParentOptions(OptionModel):
    """A listing that is requested when a run is planned: each of its records becomes a part of the run.

    Templates in path and params are values of the run's params. Address, authentication and headers are the source's.
    """

    path: str
    """The listing's path."""
    params: Mapping[str, Text] = {}
    """Parameters of its query."""
    records: Path = ()
    """Where a page of the listing has its records."""
    fields: Mapping[RunParam, Path] = Field(min_length=1)
    """{param of the part, and field of its records: field of the parent}."""
    pagination: Annotated[PageNumber | Offset | CursorPagination | NextLink | OnePage, Field(discriminator="type")] = (
        OnePage()
    )
    """How the next page is requested."""
    limit: int = Field(1_000, ge=1, le=10_000)
    """Parents; a listing with more of them is an error."""

    @model_validator(mode="after")
    def _is_a_get(self) -> Self:
        if getattr(self.pagination, "place", None) == "body":
            message = "a parent's listing has no body"
            raise ValueError(message)
        return self


class SourceOptions(OptionModel):
    """How to request the pages. Templates `{name}` in path, params, headers and body are values of the run's params."""

    base_url: HttpUrl
    """The address that paths are added to."""
    base_url_setting: Setting | None = None
    """The setting that replaces `baseUrl`, if it is set."""
    path: str = ""
    """The path, with templates; values in it are quoted."""
    method: Literal["GET", "POST"] = "GET"
    """Of requests without a body GET, of those with one POST."""
    params: Mapping[str, Text] = {}
    """Parameters of the query; one with an empty value is not sent."""
    headers: Mapping[str, Text] = {}
    """Headers of every request; no secrets."""
    body: Any = None
    """JSON; requests with a body are POST, others are GET."""
    run_params: Mapping[RunParam, Text | tuple[Text, ...] | None] = {}
    """{param that a run may have: its default, null if it must be given, or a list of which it fetches every value}."""
    pagination: Pagination = OnePage()
    """How the next page is requested."""
    auth: Auth | None = None
    """Authentication."""
    requests_per_second: int = Field(5, ge=1)
    """Requests of all extractors together."""
    statuses: Mapping[Status, Literal["retry", "fail", "empty"]] = {}
    """What a status leads to, where the API differs from the table in sources.md."""
    incremental: IncrementalOptions | None = None
    """Request only what has changed since the last complete run."""
    parent: ParentOptions | None = None
    """A listing whose records are requested one by one."""
    first_run: Mapping[RunParam, Text] | None = None
    """The params of the run on an empty database."""
    full_listing: bool = False
    """Whether a run brings all active records of its scope, so that others are inactive."""

    @property
    def known_params(self) -> Mapping[str, str | tuple[str, ...] | None]:
        """{param that a run may have: its default, or the values of which a run fetches every one}."""
        return {**self.run_params, **({self.incremental.param: ""} if self.incremental else {})}

    @model_validator(mode="after")
    def _is_incremental_by_a_param(self) -> Self:
        if self.incremental is None:
            return self
        param = self.incremental.param
        if param in self.run_params:
            message = f"{param} is the param of incremental and cannot be in runParams, too"
            raise ValueError(message)
        if param not in TEMPLATE.findall(json.dumps([self.path, *self.params.values(), self.body, {**self.headers}])):
            message = f"no template {{{param}}} in path, params, headers or body: every run would fetch everything"
            raise ValueError(message)
        if self.full_listing:
            message = "fullListing: an incremental run brings only what has changed"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _has_a_parent(self) -> Self:
        if self.parent is None:
            return self
        if self.incremental is not None:
            message = "parent: incremental could miss what changes between the listing and the requests"
            raise ValueError(message)
        if twice := sorted(set(self.parent.fields) & set(self.run_params)):
            message = f"{', '.join(twice)}: a field of the parent cannot be in runParams, too"
            raise ValueError(message)
        texts = json.dumps([self.path, *self.params.values(), self.body])
        if not set(self.parent.fields) & set(TEMPLATE.findall(texts)):
            message = f"no template {{{next(iter(self.parent.fields))}}}: every parent would have the same records"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = self._templates(self.path, self.params, self.headers) - set(self.parent.fields if self.parent else ())
        if self.parent:
            names |= self._templates(self.parent.path, self.parent.params)
        if unknown := sorted((names | set(self.first_run or ())) - set(self.known_params)):
            message = f"{', '.join(unknown)}: not in runParams"
            raise ValueError(message)
        if self.body is None and getattr(self.pagination, "place", None) == "body":
            message = "pagination in the body needs a body"
            raise ValueError(message)
        return self

    @staticmethod
    def _templates(path: str, *texts: Mapping[str, str]) -> set[str]:
        """The names in templates."""
        return {
            name
            for text in (path, *(v for values in texts for v in values.values()))
            for name in TEMPLATE.findall(text)
        }
