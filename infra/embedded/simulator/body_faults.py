"""Faults of the body: answers that come with status 200 and are not as they should be."""

import codecs
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Body = Callable[[bytes], bytes]
Headers = list[tuple[bytes, bytes]]

TITLE: Final = re.compile(rb'("positionTitle":\s*")', re.IGNORECASE)
LISTS: Final = ("SearchResultItems", "data", "CodeList")
TOTALS: Final = ("SearchResultCountAll", "totalCount")


def rewritten(app: ASGIApp, rewrite: Body) -> ASGIApp:
    """`app`, with another body and the length of that."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        body = bytearray()

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body"):
                changed = rewrite(bytes(body))
                await send({**start, "headers": _with_length(start["headers"], len(changed))})
                await send({**message, "body": changed})

        await app(scope, receive, collect)

    return answer


def _with_length(headers: Headers, length: int) -> Headers:
    return [
        *((name, value) for name, value in headers if name != b"content-length"),
        (b"content-length", b"%d" % length),
    ]


def _edited(edit: Callable[[dict[str, Any]], None]) -> Body:
    """A rewrite of the decoded JSON: `edit` is given the object that has the list of records."""

    def rewrite(body: bytes) -> bytes:
        document = json.loads(body)
        edit(document.get("SearchResult", document))
        return json.dumps(document).encode()

    return rewrite


def _null_list(page: dict[str, Any]) -> None:
    page.update({name: None for name in LISTS if name in page})


def _absent_list(page: dict[str, Any]) -> None:
    for name in LISTS:
        page.pop(name, None)


def growing(rows: int) -> Body:
    """Announces so many rows more than there are."""

    def grow(page: dict[str, Any]) -> None:
        for counts in (page, page.get("paging", {}).get("metadata", {})):
            counts.update({name: counts[name] + rows for name in TOTALS if name in counts})

    return _edited(grow)


class Circle:
    """Lets the first `length` pages say what follows, and every later page repeat one of them, in turn."""

    def __init__(self, length: int) -> None:
        self._length, self._links, self._pages = length, [], 0  # type: tuple[int, list[str | None], int]

    def __call__(self, body: bytes) -> bytes:
        """The page with the link that it has here."""
        document = json.loads(body)
        if len(self._links) < self._length:
            self._links.append(document["paging"]["next"])
        document["paging"]["next"] = self._links[self._pages % self._length]
        self._pages += 1
        return json.dumps(document).encode()


REWRITES: Final[Mapping[str, Body]] = {
    "newline": lambda body: body + b"\r\n\n",
    "byte_order_mark": lambda body: codecs.BOM_UTF8 + body,
    "utf16": lambda body: body.decode().encode("utf-16"),
    "utf32": lambda body: body.decode().encode("utf-32-le"),
    "indented": lambda body: b"\n" + json.dumps(json.loads(body), indent=2, ensure_ascii=False).encode() + b"\n",
    "message200": lambda _: b'{"Message":"An error has occurred."}',
    "null200": lambda _: b"null",
    "null_list": _edited(_null_list),
    "absent_list": _edited(_absent_list),
    "raw_tab": lambda body: TITLE.sub(rb"\1\t", body, count=1),
    "bad_escape": lambda body: TITLE.sub(rb"\1\\q", body, count=1),
}
