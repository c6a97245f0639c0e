"""Pages that can only be asked for one after another."""

import pytest

from services.extractor import sequence
from shared.datasets.contract import Params, Plan, Request
from shared.errors import PermanentError
from shared.events import PageCommand


class AtOnce:
    """A source whose pages can all be asked for at any time."""

    requests_per_second = 1
    first_run = None
    lists_all = False

    def checked(self, params: Params) -> dict[str, str]:
        return dict(params)

    def plan(self, _params: Params, _fetch: object) -> Plan:
        return Plan((), announced=0)

    def request(self, params: Params, page: int) -> Request:
        return Request(f"http://127.0.0.1/{page}", dict(params), {})


class OneAfterAnother(AtOnce):
    """A source whose payload is the token of the next page, or None."""

    def following(self, params: Params, payload: object) -> dict[str, str] | None:
        return None if payload is None else {**params, "token": str(payload)}


def page(number: int, of: int) -> PageCommand:
    """The command for one page of a part."""
    return PageCommand(
        dataset="things", run_id="20250903T120000Z-0badcafe", params={"day": "1"}, part=2, page=number, of=of
    )


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
    assert sequence.pages_known(OneAfterAnother(), page(number, of), token) == known


@pytest.mark.parametrize("payload", [None, "a", {"token": "a"}])
def test_where_all_pages_can_be_asked_for_at_once_the_plan_knows(payload: object) -> None:
    assert sequence.pages_known(AtOnce(), page(2, 3), payload) == 3
    assert list(sequence.next_pages(AtOnce(), page(2, 3), payload)) == []


@pytest.mark.parametrize(("number", "of", "then"), [(1, 3, 3), (2, 3, 3), (3, 3, 4), (9, 9, 10)])
def test_a_page_that_is_not_the_last_brings_the_next_with_the_part_s_own_params(
    number: int, of: int, then: int
) -> None:
    (following,) = sequence.next_pages(OneAfterAnother(), page(number, of), "a")
    assert following == page(number + 1, then)


def test_the_last_page_brings_none() -> None:
    assert list(sequence.next_pages(OneAfterAnother(), page(1, 3), None)) == []


def test_a_page_is_asked_for_as_the_one_before_says() -> None:
    assert sequence.params_after(OneAfterAnother(), page(2, 3), "a") == {"day": "1", "token": "a"}


def test_a_page_beyond_the_last_is_a_permanent_error() -> None:
    with pytest.raises(PermanentError, match="run 20250903T120000Z-0badcafe, part 2 ends before page 3"):
        sequence.params_after(OneAfterAnother(), page(3, 3), None)
