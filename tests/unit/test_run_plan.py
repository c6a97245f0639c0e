"""The plan of a run: which pages it sends for, and which are missing."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.datasets.source import Part
from shared.errors import NewerVersionError, PermanentError
from shared.formats import run_plan
from shared.formats.commands import PageCommand
from shared.formats.run_plan import RunPlan

PARTS = (Part({"size": "s"}, rows=1001, pages=3), Part({"size": "m"}, rows=0, pages=0), Part({"size": "l"}, 99, 1))


def planned(dataset: str, *parts: Part) -> RunPlan:
    """A plan of these parts."""
    return RunPlan(
        run_id="20250903T120000Z-0badcafe",
        dataset=dataset,
        params={"colour": "red"},
        trigger="schedule",
        expected_records=1100,
        parts=parts or PARTS,
    )


AT_ONCE, ONE_AFTER_ANOTHER = planned("usajobs_search"), planned("usajobs_historic")


def places(pages: Iterable[PageCommand]) -> list[tuple[int, int, int]]:
    """(part, page, of) of page commands."""
    return [(page.part, page.page, page.of) for page in pages]


def test_a_plan_sends_for_each_page_of_each_part_once() -> None:
    commands = list(AT_ONCE.commands())
    assert places(commands) == [(1, 1, 3), (1, 2, 3), (1, 3, 3), (3, 1, 1)]
    assert [command.params for command in commands] == [{"size": "s"}] * 3 + [{"size": "l"}]
    assert {(command.dataset, command.run_id) for command in commands} == {("usajobs_search", AT_ONCE.run_id)}
    assert AT_ONCE.pages == len(commands)


def test_where_pages_come_one_after_another_only_the_first_of_each_part_is_sent_for() -> None:
    assert places(ONE_AFTER_ANOTHER.commands()) == [(1, 1, 3), (3, 1, 1)]
    assert places(ONE_AFTER_ANOTHER.missing({})) == places(AT_ONCE.missing({}))


@pytest.mark.parametrize(
    ("loaded", "missing"),
    [
        ({(1, 2): 3}, [(1, 1, 3), (1, 3, 3), (3, 1, 1)]),
        ({(1, 1): 3, (1, 2): 3, (1, 3): 3, (3, 1): 1}, []),
        ({(1, 1): None, (1, 2): None, (3, 1): None}, [(1, 3, 3)]),
        pytest.param({(1, 1): 3, (1, 2): 2, (3, 1): 1}, [], id="the part ended early"),
        pytest.param({(1, 2): 2, (3, 1): 1}, [(1, 1, 2)], id="it ended early, and its first page is missing"),
        pytest.param({(1, 1): 3, (1, 2): 3, (1, 3): 4, (3, 1): 1}, [(1, 4, 4)], id="one page more than planned"),
        pytest.param({(1, 1): 3, (1, 5): 5, (3, 1): 1}, [(1, 2, 5), (1, 3, 5), (1, 4, 5)], id="two more"),
        pytest.param(
            {(1, 1): 5, (1, 2): 3, (1, 3): 3, (3, 1): 1}, [(1, 4, 5), (1, 5, 5)], id="an earlier page says more"
        ),
        pytest.param({(3, 1): 2}, [(1, 1, 3), (1, 2, 3), (1, 3, 3), (3, 2, 2)], id="of the other part"),
        pytest.param({(2, 1): 1, (9, 9): 9}, [(1, 1, 3), (1, 2, 3), (1, 3, 3), (3, 1, 1)], id="not planned at all"),
    ],
)
def test_what_is_missing_is_what_the_last_loaded_page_of_each_part_says(
    loaded: dict[tuple[int, int], int | None], missing: list[tuple[int, int, int]]
) -> None:
    assert places(ONE_AFTER_ANOTHER.missing(loaded)) == missing


def test_of_missing_pages_that_come_one_after_another_the_first_of_each_part_can_be_asked_for() -> None:
    missing = list(ONE_AFTER_ANOTHER.missing({(1, 1): 3}))
    assert places(ONE_AFTER_ANOTHER.sendable(missing)) == [(1, 2, 3), (3, 1, 1)]
    assert places(AT_ONCE.sendable(missing)) == places(missing)
    assert places(ONE_AFTER_ANOTHER.sendable([])) == []


@given(st.lists(st.tuples(st.integers(0, 4), st.sets(st.integers(1, 6), max_size=6)), min_size=1, max_size=4))
def test_what_is_loaded_and_what_is_missing_are_together_the_plan(parts: list[tuple[int, set[int]]]) -> None:
    plan = planned("usajobs_search", *(Part({}, 1, pages) for pages, _ in parts))
    loaded: dict[tuple[int, int], int | None] = {
        (number, page): pages for number, (pages, there) in enumerate(parts, start=1) for page in there if page <= pages
    }
    missing = [(page.part, page.page) for page in plan.missing(loaded)]
    assert len(missing) == len(set(missing))
    assert set(missing) | loaded.keys() == {
        (number, page) for number, (pages, _) in enumerate(parts, start=1) for page in range(1, pages + 1)
    }
    assert not set(missing) & loaded.keys()


def test_a_plan_reads_back_as_it_was_written() -> None:
    assert run_plan.read(AT_ONCE.model_dump_json().encode()) == AT_ONCE


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff"])
def test_what_is_not_a_plan_is_refused(body: bytes) -> None:
    with pytest.raises(PermanentError, match="not a run plan"):
        run_plan.read(body)


def test_a_plan_of_a_newer_version_waits_for_a_newer_worker() -> None:
    with pytest.raises(NewerVersionError):
        run_plan.read(AT_ONCE.model_dump_json().replace(":1,", ":2,", 1).encode())


def test_more_pages_than_a_run_can_have_are_refused() -> None:
    half = Part({}, 1, 2**30)
    with pytest.raises(ValueError, match="more pages than a run can have"):
        planned("usajobs_search", half, half)
