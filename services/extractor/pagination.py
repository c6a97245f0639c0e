"""Which pages follow a fetched page: the next one of a sequential source, or those added since the plan. No I/O."""

import json
from collections.abc import Iterator
from hashlib import sha256

from shared.datasets.source import PageCounts, Params, SequentialSource, Source
from shared.errors import PermanentError
from shared.formats.commands import PageCommand
from shared.formats.envelope import Envelope

# Of a part whose source announces none. Each page lists the fingerprints of all before it: 120 kB on the last of these.
MAX_UNANNOUNCED_PAGES = 10_000
FINGERPRINT_DIGITS = 12  # hexadecimal; two of a thousand requests collide once in 500 million parts


def max_pages(pages: int) -> int:
    """The most pages a part may have. Exceeds those announced, as data grows during a run and totals are estimates."""
    return 2 * pages + 10


def fingerprint(params: Params) -> str:
    """A hash that identifies a request among those of its part."""
    return sha256(json.dumps(sorted(params.items())).encode()).hexdigest()[:FINGERPRINT_DIGITS]


def page_count(source: Source, page: PageCommand, stored: Envelope, counts: PageCounts, planned: int) -> int:
    """The number of pages of the part, as far as this page tells; it may be more than planned.

    A page beyond the `planned` ones adds none: a part is extended once.
    """
    if isinstance(source, SequentialSource):
        return page.page if _ends(source, page, stored) else max(page.of, page.page + 1)
    if page.page > planned:
        return page.of
    return max(page.of, min(counts.pages or 0, max_pages(planned)))


def next_pages(source: Source, page: PageCommand, stored: Envelope, page_count: int) -> Iterator[PageCommand]:
    """The commands for the pages that follow this one.

    Raises PermanentError if the source's pagination does not end.
    """
    if isinstance(source, SequentialSource):
        if not _ends(source, page, stored):
            params_after(source, page, stored)
            yield page.model_copy(update={"page": page.page + 1, "of": page_count, "replaces": None})
        return
    for added in range(page.of + 1, page_count + 1):
        yield page.model_copy(update={"page": added, "of": page_count, "replaces": None})


def params_after(source: SequentialSource, page: PageCommand, stored: Envelope) -> Params:
    """The params of the request after `page`.

    Raises PermanentError after the last page, and if pagination does not end.
    """
    where = f"run {page.run_id}, part {page.part}"
    params = None if stored.payload is None else source.following(page.params, stored.received)
    if params is None:
        message = f"{where} ends with page {page.page}"
        raise PermanentError(message)
    if (next_fingerprint := fingerprint(params)) in stored.fingerprints:
        first = page.page - len(stored.fingerprints) + stored.fingerprints.index(next_fingerprint) + 1
        message = f"{where}: page {page.page} leads back to the request of page {first}; fetching stops here"
        raise PermanentError(message)
    announced = stored.counts(source).pages
    if announced is None and page.page >= MAX_UNANNOUNCED_PAGES:
        message = f"{where}: page {page.page} says that more pages follow; a part may have {MAX_UNANNOUNCED_PAGES}"
        raise PermanentError(message)
    if announced is not None and page.page >= max_pages(announced):
        message = f"{where}: page {page.page} says that more pages follow, although it announces {announced} pages"
        raise PermanentError(message)
    return params


def refuse_repeated(page: PageCommand, received: Envelope, before: Envelope | None, counts: PageCounts) -> None:
    """Raises PermanentError for a page with records that equals the one before it: the source ignores the position."""
    if counts.records and before is not None and received.payload == before.payload:
        message = (
            f"run {page.run_id}, part {page.part}: page {page.page} is the same as page {page.page - 1}; "
            "fetching stops here. Does the source know the parameter of its pagination?"
        )
        raise PermanentError(message)


def _ends(source: SequentialSource, page: PageCommand, stored: Envelope) -> bool:
    """Whether a page is the last of its part. An empty response (204) is."""
    return stored.payload is None or source.following(page.params, stored.received) is None
