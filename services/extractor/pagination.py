"""Which pages a page brings: the next one where each says how to ask for it, else those added since the plan. Pure."""

import json
from collections.abc import Iterator
from hashlib import sha256

from shared.datasets.source import PageCounts, Params, SequentialSource, Source
from shared.errors import PermanentError
from shared.formats.commands import PageCommand
from shared.formats.envelope import Envelope

FINGERPRINT = 12  # hexadecimal digits: two of a thousand requests are alike once in 500 million parts


def longest(pages: int) -> int:
    """How far a part may go beyond the pages announced: data grows while it is read, and totals are estimates."""
    return 2 * pages + 10


def fingerprint(params: Params) -> str:
    """What tells a request from the others of its part."""
    return sha256(json.dumps(sorted(params.items())).encode()).hexdigest()[:FINGERPRINT]


def pages_known(source: Source, page: PageCommand, payload: object, counts: PageCounts, planned: int) -> int:
    """How many pages the part has, as far as this page tells: a plan is older than what it counted.

    A page that was not `planned` adds no further ones: a part is extended once.
    """
    if isinstance(source, SequentialSource):
        return page.page if _ends(source, page, payload) else max(page.of, page.page + 1)
    if page.page > planned:
        return page.of
    return max(page.of, min(counts.pages or 0, longest(planned)))


def next_pages(source: Source, page: PageCommand, stored: Envelope, known: int) -> Iterator[PageCommand]:
    """The commands for the pages that this one brings. Raises PermanentError for pages without end."""
    if isinstance(source, SequentialSource):
        if not _ends(source, page, stored.payload):
            params_after(source, page, stored)
            yield page.model_copy(update={"page": page.page + 1, "of": known, "replaces": None})
        return
    for added in range(page.of + 1, known + 1):
        yield page.model_copy(update={"page": added, "of": known, "replaces": None})


def params_after(source: SequentialSource, page: PageCommand, stored: Envelope) -> Params:
    """The params of the request after `page`. Raises PermanentError after the last, and for pages without end."""
    where = f"run {page.run_id}, part {page.part}"
    params = None if stored.payload is None else source.following(page.params, stored.payload)
    if params is None:
        message = f"{where} ends with page {page.page}"
        raise PermanentError(message)
    if (known := fingerprint(params)) in stored.fingerprints:
        first = page.page - len(stored.fingerprints) + stored.fingerprints.index(known) + 1
        message = f"{where}: page {page.page} leads back to the request of page {first}, and is the last one fetched"
        raise PermanentError(message)
    announced = stored.counts(source).pages
    if announced is not None and page.page >= longest(announced):
        message = f"{where}: page {page.page} says that more follow, and that there are {announced} pages"
        raise PermanentError(message)
    return params


def _ends(source: SequentialSource, page: PageCommand, payload: object) -> bool:
    """Whether a page is its part's last: an answer with nothing in it (HTTP's 204) is, too."""
    return payload is None or source.following(page.params, payload) is None
