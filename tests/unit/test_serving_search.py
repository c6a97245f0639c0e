"""What may be asked of postings, and how it becomes SQL."""

import base64

import pytest
from pydantic import ValidationError

from services.serving.api.rate_limit import RequestLimit
from services.serving.api.search import Filters, Search, filter_clause, make_cursor, page, parse_cursor

ROW = {"sort_key": "2026-01-05", "control_number": 7}


def test_a_cursor_leads_back_to_its_place() -> None:
    assert parse_cursor(make_cursor(ROW, "newest"), "newest") == ("2026-01-05", 7)


@pytest.mark.parametrize(
    "written",
    [
        "[]",
        "7",
        '["newest", "2026-01-05"]',
        '["newest", "2026-01-05", true]',
        '["newest", "2026-01-05", -1]',
        "{",
        "[" * 99,
    ],
)
def test_a_cursor_that_is_not_ours_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        parse_cursor(base64.urlsafe_b64encode(written.encode()).decode(), "newest")


@pytest.mark.parametrize("key", ["'; drop table x; --", "now()", "", "1e999", "2026-01-05"])
def test_a_sort_key_of_another_kind_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        parse_cursor(make_cursor({"sort_key": key, "control_number": 7}, "pay"), "pay")


def test_a_cursor_of_another_order_is_refused() -> None:
    with pytest.raises(ValidationError, match="cursor"):
        Search(sort="closing", cursor=make_cursor(ROW, "newest"))


@pytest.mark.parametrize(
    ("asked", "order"),
    [({}, "newest"), ({"q": "nurse"}, "relevance"), ({"near": "41,-87"}, "distance"), ({"sort": "pay"}, "pay")],
)
def test_the_order_suits_what_is_asked(asked: dict[str, str], order: str) -> None:
    assert Search(**asked).order == order


@pytest.mark.parametrize(
    ("near", "point"),
    [("41.88,-87.6", (41.88, -87.6)), (" 41 , 87 ", (41.0, 87.0)), ("Chicago, Illinois", None), ("1e5,2", None)],
)
def test_near_is_a_point_or_a_name(near: str, point: tuple[float, float] | None) -> None:
    assert Filters(near=near).point == point


@pytest.mark.parametrize("near", ["91,0", "0,181", "-90.1,0"])
def test_a_point_is_on_earth(near: str) -> None:
    with pytest.raises(ValidationError, match="latitude is at most 90"):
        Filters(near=near)


def test_no_value_is_ever_part_of_the_sql() -> None:
    hostile = "'; drop table gold.posting_stored; --"
    asked = Search(q=hostile, agency=[hostile], near=hostile, sort="newest")
    for statement in (filter_clause(asked, (1.0, 2.0)), page(asked, (1.0, 2.0))):
        assert "drop table" not in statement.sql
        assert hostile in statement.values.values()


def test_a_client_that_asked_enough_waits_and_another_does_not() -> None:
    limit = RequestLimit(2, None)
    assert [limit.wait("a") for _ in range(2)] == [0, 0]
    assert 1 <= limit.wait("a") <= 60
    assert limit.wait("b") == 0
