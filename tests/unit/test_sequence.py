"""Pages that can only be asked for one after another."""

import pytest

from services.extractor import pagination
from shared.datasets.source import NO_COUNTS, PageCounts, Params, Plan, ReceivedPage, Request
from shared.errors import PermanentError
from shared.formats.commands import PageCommand
from shared.formats.envelope import Envelope


class AtOnce:
    """A source whose pages can all be asked for at any time. Its payload is the number of pages that it announces."""

    requests_per_second = 1
    first_run: Params | None = None
    lists_all = False

    def checked(self, params: Params) -> dict[str, str]:
        return dict(params)

    def plan(self, _params: Params, _fetch: object) -> Plan:
        return Plan((), expected_records=0)

    def request(self, params: Params, page: int) -> Request:
        return Request(f"http://127.0.0.1/{page}", dict(params), {})

    def check_page(self, payload: object) -> PageCounts:
        return PageCounts(1, pages=payload if isinstance(payload, int) else None)


class OneAfterAnother(AtOnce):
    """A source whose payload is the token of the next page, or None; it announces four pages."""

    def check_page(self, payload: object) -> PageCounts:  # noqa: ARG002 - the protocol's
        return PageCounts(1, pages=4)

    def following(self, params: Params, page: ReceivedPage) -> dict[str, str] | None:
        return None if page.payload is None else {**params, "token": str(page.payload)}


def page(number: int, of: int) -> PageCommand:
    """The command for one page of a part."""
    return PageCommand(
        dataset="things", run_id="20250903T120000Z-0badcafe", params={"day": "1"}, part=2, page=number, of=of
    )


def stored(payload: object, *tokens: str) -> Envelope:
    """A page, in whose part these tokens were asked for up to now."""
    asked = [pagination.fingerprint({"day": "1", "token": token}) for token in tokens]
    return Envelope(tuple(asked), 200, ReceivedPage(Request("http://127.0.0.1", {}, {}), {}, payload))


@pytest.mark.parametrize(
    ("number", "of", "token", "known"),
    [
        pytest.param(1, 3, "a", 3, id="as planned"),
        pytest.param(3, 3, None, 3, id="the last, as planned"),
        pytest.param(2, 3, None, 2, id="the last, too early"),
        pytest.param(3, 3, "a", 4, id="not the last, though planned to be"),
        pytest.param(7, 7, "a", 8, id="far beyond the plan"),
        pytest.param(1, 1, None, 1, id="the only one"),
    ],
)
def test_a_page_knows_how_many_its_part_has(number: int, of: int, token: str | None, known: int) -> None:
    assert pagination.page_count(OneAfterAnother(), page(number, of), stored(token), NO_COUNTS, of) == known


@pytest.mark.parametrize(
    ("number", "of", "announced", "planned", "known"),
    [
        pytest.param(2, 3, None, 3, 3, id="the source does not say"),
        pytest.param(2, 3, 2, 3, 3, id="fewer than planned"),
        pytest.param(2, 3, 3, 3, 3, id="as planned"),
        pytest.param(2, 3, 5, 3, 5, id="two were added"),
        pytest.param(2, 3, 900, 3, 16, id="more than a part may grow by"),
        pytest.param(4, 5, 7, 3, 5, id="a page that was added itself"),
    ],
)
def test_where_all_pages_can_be_asked_for_at_once_a_part_grows_once(
    number: int, of: int, announced: int | None, planned: int, known: int
) -> None:
    asked = page(number, of)
    assert pagination.page_count(AtOnce(), asked, stored(None), PageCounts(1, pages=announced), planned) == known
    assert list(pagination.next_pages(AtOnce(), asked, stored(None), known)) == [
        page(added, known) for added in range(of + 1, known + 1)
    ]


@pytest.mark.parametrize(("number", "of", "then"), [(1, 3, 3), (2, 3, 3), (3, 3, 4), (9, 9, 10)])
def test_a_page_that_is_not_the_last_brings_the_next_with_the_part_s_own_params(
    number: int, of: int, then: int
) -> None:
    (following,) = pagination.next_pages(OneAfterAnother(), page(number, of), stored("a"), then)
    assert following == page(number + 1, then)


def test_the_last_page_brings_none() -> None:
    assert list(pagination.next_pages(OneAfterAnother(), page(1, 3), stored(None), 1)) == []


def test_a_page_fetched_anew_brings_the_next_as_any() -> None:
    anew = page(1, 3).model_copy(update={"replaces": "v1"})
    assert list(pagination.next_pages(OneAfterAnother(), anew, stored("a"), 3)) == [page(2, 3)]


def test_a_page_is_asked_for_as_the_one_before_says() -> None:
    assert pagination.params_after(OneAfterAnother(), page(1, 3), stored("a")) == {"day": "1", "token": "a"}


def test_a_page_beyond_the_last_is_a_permanent_error() -> None:
    with pytest.raises(PermanentError, match="run 20250903T120000Z-0badcafe, part 2 ends with page 2"):
        pagination.params_after(OneAfterAnother(), page(2, 3), stored(None))


@pytest.mark.parametrize(("token", "first"), [("c", 3), ("b", 2), ("a", 1)])
def test_pages_that_go_round_in_a_circle_are_a_permanent_error(token: str, first: int) -> None:
    again = stored(token, "a", "b", "c")
    reason = f"part 2: page 3 leads back to the request of page {first}"
    with pytest.raises(PermanentError, match=reason):
        pagination.params_after(OneAfterAnother(), page(3, 4), again)
    with pytest.raises(PermanentError, match=reason):
        list(pagination.next_pages(OneAfterAnother(), page(3, 4), again, 4))


def test_in_a_part_that_an_older_version_began_a_circle_is_named_by_its_pages_too() -> None:
    with pytest.raises(PermanentError, match="page 9 leads back to the request of page 8"):
        pagination.params_after(OneAfterAnother(), page(9, 10), stored("a", "a", "b"))


def test_pages_far_beyond_those_announced_are_a_permanent_error() -> None:
    assert pagination.params_after(OneAfterAnother(), page(17, 18), stored("new"))
    with pytest.raises(PermanentError, match="page 18 says that more pages follow, although it announces 4 pages"):
        pagination.params_after(OneAfterAnother(), page(18, 19), stored("new"))


def test_requests_are_told_apart_whatever_the_order_of_their_params() -> None:
    one = pagination.fingerprint({"a": "1", "b": "2"})
    assert pagination.fingerprint({"b": "2", "a": "1"}) == one
    assert pagination.fingerprint({"a": "2", "b": "1"}) != one
