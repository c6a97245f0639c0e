"""Where the page after a received one is: its number, offset, cursor or URL. No I/O."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urljoin, urlsplit

from shared.datasets.contract.source_options import (
    CursorPagination,
    HeaderToken,
    LinkHeader,
    NextLink,
    Offset,
    OnePage,
    PageNumber,
    Pagination,
)
from shared.datasets.json_path import value_at
from shared.datasets.source import PageCounts, ReceivedPage, UnexpectedAnswerError
from shared.errors import PermanentError

LINK = "link"  # the header


def next_position(options: Pagination, page: ReceivedPage, counts: PageCounts) -> str | None:
    """The position of the page after this one; None if this is the last.

    Raises UnexpectedAnswerError for a page without what its pagination needs, PermanentError for a link to another
    host, which must not receive the secrets of a request.
    """
    return _NEXT[type(options)](options, page, counts)


def _page_number(options: PageNumber, page: ReceivedPage, counts: PageCounts) -> str | None:
    number = int(_sent(options, page))
    before = number - options.first
    announced = value_at(page.payload, options.pages) if options.pages else None
    if isinstance(announced, int):
        return str(number + 1) if before + 1 < announced else None
    is_last = counts.rows is not None and options.size and before * options.size + counts.records >= counts.rows
    return None if is_last or not counts.records else str(number + 1)


def _offset(options: Offset, page: ReceivedPage, counts: PageCounts) -> str | None:
    """By the records that came: a source may send fewer than were asked for."""
    offset = int(_sent(options, page)) + counts.records
    is_last = counts.rows is not None and offset - options.first >= counts.rows
    return None if is_last or not counts.records else str(offset)


def _cursor(options: CursorPagination, page: ReceivedPage, _counts: PageCounts) -> str | None:
    cursor = value_at(page.payload, options.cursor)
    if isinstance(cursor, (dict, list, float)):
        message = f"the cursor at {'.'.join(options.cursor)} is neither a text nor a whole number"
        raise UnexpectedAnswerError(message)
    return None if cursor is None or cursor is False else str(cursor).strip() or None


def _header_token(options: HeaderToken, page: ReceivedPage, _counts: PageCounts) -> str | None:
    return page.headers.get(options.header.lower(), "").strip() or None


def _next_link(options: NextLink, page: ReceivedPage, _counts: PageCounts) -> str | None:
    link = value_at(page.payload, options.link)
    if link is not None and not isinstance(link, str):
        message = f"the link at {'.'.join(options.link)} is no text"
        raise UnexpectedAnswerError(message)
    return _resolved(link, page)


def _link_header(_options: LinkHeader, page: ReceivedPage, _counts: PageCounts) -> str | None:
    import httpx  # of the extractor's image only

    links = httpx.Response(200, headers={LINK: page.headers.get(LINK, "")}).links
    return _resolved(links.get("next", {}).get("url"), page)


def _one_page(_options: OnePage, _page: ReceivedPage, _counts: PageCounts) -> None:
    """Nothing follows."""


_NEXT: Mapping[type, Callable[[Any, ReceivedPage, PageCounts], str | None]] = MappingProxyType(
    {
        PageNumber: _page_number,
        Offset: _offset,
        CursorPagination: _cursor,
        HeaderToken: _header_token,
        NextLink: _next_link,
        LinkHeader: _link_header,
        OnePage: _one_page,
    }
)


def _sent(options: PageNumber | Offset, page: ReceivedPage) -> Any:
    """The position that the page was requested with."""
    name, body = ".".join(options.param), page.request.body
    sent = value_at(body, options.param) if options.place == "body" else page.request.params.get(name)
    if sent is None:
        message = f"the page was requested without {name}: the contract has changed since; start another run"
        raise PermanentError(message)
    return sent


def _resolved(link: str | None, page: ReceivedPage) -> str | None:
    """The link's URL, with scheme and port of the page's: behind a proxy, sources name those that they see."""
    if link is None or not link.strip():
        return None
    here, target = urlsplit(page.request.url), urlsplit(urljoin(page.request.url, link.strip()))
    if target.hostname != here.hostname:
        message = f"the next page is at {target.hostname}, another host than {here.hostname}; not followed"
        raise PermanentError(message)
    return target._replace(scheme=here.scheme, netloc=here.netloc, fragment="").geturl()
