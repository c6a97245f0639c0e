"""Pages that can only be asked for one after another: each stored page says how to ask for the next. Pure."""

from collections.abc import Iterator

from shared.datasets.contract import Params, SequentialSource, Source
from shared.errors import PermanentError
from shared.events import PageCommand


def pages_known(source: Source, page: PageCommand, payload: object) -> int:
    """How many pages the part has, as far as this page tells: a plan is older than what it counted."""
    if not isinstance(source, SequentialSource):
        return page.of
    return page.page if _ends(source, page, payload) else max(page.of, page.page + 1)


def next_pages(source: Source, page: PageCommand, payload: object) -> Iterator[PageCommand]:
    """The command for the page after this one, if this one is what brings it."""
    if isinstance(source, SequentialSource) and not _ends(source, page, payload):
        yield page.model_copy(update={"page": page.page + 1, "of": max(page.of, page.page + 1)})


def params_after(source: SequentialSource, page: PageCommand, payload_before: object) -> Params:
    """The params of a page's request. Raises PermanentError for a page beyond the part's last."""
    params = source.following(page.params, payload_before)
    if params is None:
        message = f"run {page.run_id}, part {page.part} ends before page {page.page}"
        raise PermanentError(message)
    return params


def _ends(source: SequentialSource, page: PageCommand, payload: object) -> bool:
    """Whether a page is its part's last: an answer with nothing in it (HTTP's 204) is, too."""
    return payload is None or source.following(page.params, payload) is None
