"""The search page in a real browser, over the real API and a real database."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from services.serving.api import search
from services.serving.gold.refresh import refresh
from tests import served
from tests.e2e.widths import scrolling
from tests.served import MONDAY, SEARCH, TODAY, hold, pay, place, posting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.e2e

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
LONG = "Interdisciplinary" + "x" * 200


@pytest.fixture(scope="module")
def url(backends: Mapping[str, str]) -> Iterator[str]:  # noqa: ARG001 - it is running
    """The page over 30 nurses in Chicago, one data engineer in Boston, and what is hard to show."""
    engine = served.empty_gold()
    boston = [place("Boston, Massachusetts", 42.3601, -71.0589)]
    hostile = posting(
        41, HOSTILE, OrganizationName=HOSTILE, details={"JobSummary": HOSTILE}, PositionURI="javascript:1"
    )
    closed = posting(43, "Old Smelter", ApplicationCloseDate=f"{TODAY - timedelta(days=3)}T23:59:59.9970")
    nurses = [posting(n, f"Nurse {n}") for n in range(1, 31)]
    hold(engine, SEARCH, [*nurses, posting(40, PositionLocation=boston), hostile, posting(42, LONG), closed])
    raised = posting(40, PositionLocation=boston, PositionRemuneration=pay(90_000, 150_000))
    hold(engine, SEARCH, [raised], MONDAY + timedelta(days=1))
    refresh(engine, always=True)
    with served.api() as client:
        yield str(client.base_url)
    engine.dispose()


@pytest.fixture
def page(browser: "Browser", url: str) -> "Iterator[Page]":
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    opened = context.new_page()
    opened.goto(url)
    settled(opened)
    yield opened
    context.close()


def settled(page: "Page") -> None:
    """Wait until nothing is asked any more."""
    page.locator("body:not(.asking)").wait_for()
    page.locator("#fresh", has_text="as of").wait_for()


def look_for(page: "Page", words: str) -> None:
    with page.expect_response("**/v1/stats/places?*"):
        page.locator("[name=q]").fill(words)
    settled(page)


def test_the_page_opens_with_all_that_is_open_and_its_pictures(page: "Page") -> None:
    page.locator("#summary", has_text="33 postings").wait_for()
    assert page.locator("#list li").count() == 25
    assert page.locator("#map .dot").count() == 2
    assert page.locator("#pay .bar").count() > 0
    assert page.locator("#timeline .bar").count() > 0


def test_what_is_typed_is_searched_and_is_in_the_address(page: "Page", url: str) -> None:
    look_for(page, "data engineer")
    page.locator("#summary", has_text="1 posting").wait_for()
    assert page.locator("#list h3").all_inner_texts() == ["Data Engineer"]
    assert page.url == f"{url}/?q=data+engineer&open=true"
    page.reload()
    page.locator("#list h3", has_text="Data Engineer").wait_for()
    assert page.locator("[name=q]").input_value() == "data engineer"


def test_more_postings_follow_and_the_focus_goes_to_the_first_of_them(page: "Page") -> None:
    page.get_by_role("button", name="Show more").click()
    page.locator("#list li").nth(32).wait_for()
    assert page.evaluate("document.activeElement === document.querySelectorAll('#list .title')[25]")
    assert page.get_by_role("button", name="Show more").count() == 0


def test_who_sees_only_the_likeliest_is_told_how_many_there_are(page: "Page", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MAX_RANKED", 10)
    look_for(page, "nurse")
    page.get_by_text("These are the 10 that fit best. Another order leads through all 30.").wait_for()
    page.get_by_label("Order").select_option("newest")
    page.locator("#list li").nth(24).wait_for()
    assert page.locator("#end").inner_text() == ""


def test_a_place_on_the_map_is_a_search_around_it(page: "Page") -> None:
    page.get_by_role("list", name="Busiest places").get_by_text("Boston, Massachusetts").click()
    page.locator("#map .ring").wait_for()
    page.locator("#summary", has_text="1 posting").wait_for()
    assert page.locator("[name=near]").input_value() == "Boston, Massachusetts"


def test_a_city_alone_is_a_place_and_the_page_says_which(page: "Page") -> None:
    page.locator("[name=near]").fill("boston")
    page.keyboard.press("Enter")
    page.locator("#summary", has_text="1 posting near Boston, Massachusetts").wait_for()
    page.locator("#map .ring").wait_for()


def test_a_closed_posting_is_shown_to_who_wants_closed_ones(page: "Page") -> None:
    look_for(page, "old smelter")
    assert page.locator("#list li").count() == 0
    page.get_by_label("open now").uncheck()
    page.locator(".chip", has_text="closed").wait_for()


def test_a_posting_opens_with_what_has_changed_and_where_it_is_from(page: "Page") -> None:
    look_for(page, "data engineer")
    page.get_by_role("button", name="Data Engineer").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("maximum range: 120000 → 150000").wait_for()
    assert "s3://bucket/uploads/" in dialog.inner_text()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.textContent") == "Data Engineer"


def test_what_cannot_be_searched_is_said_and_the_page_goes_on(page: "Page") -> None:
    page.locator("[name=near]").fill("Atlantis")
    page.keyboard.press("Enter")
    page.locator("#summary.problem", has_text="Atlantis").wait_for()
    page.locator("[name=near]").fill("")
    page.keyboard.press("Enter")
    page.locator("#summary", has_text="33 postings").wait_for()


def test_hostile_text_is_only_text(page: "Page") -> None:
    look_for(page, "owned")
    page.get_by_role("button", name=HOSTILE).click()
    page.get_by_role("dialog").get_by_text(HOSTILE).first.wait_for()
    assert page.title() == "Federal jobs · smelt"
    assert page.locator("main img, main script, dialog img, dialog a").count() == 0


def test_keys_alone_lead_from_the_first_stop_to_a_posting(page: "Page") -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the postings"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()


def test_no_width_scrolls_sideways_and_nothing_comes_from_elsewhere(browser: "Browser", url: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{url}/?open=any")
    settled(page)
    page.get_by_role("button", name=LONG).click()
    page.get_by_role("dialog").wait_for()
    assert scrolling(page) == []
    assert [one for one in asked if not one.startswith(url)] == []
    assert complaints == []
    context.close()


def test_the_documentation_of_the_api_works_without_another_host(browser: "Browser", url: str) -> None:
    context = browser.new_context()
    opened = context.new_page()
    elsewhere: list[str] = []
    problems: list[str] = []
    opened.on("request", lambda request: elsewhere.append(request.url) if not request.url.startswith(url) else None)
    opened.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.goto(f"{url}/docs")
    opened.locator(".opblock-summary-path", has_text="rows").click()
    opened.get_by_role("button", name="Try it out").click()
    opened.locator("tr[data-param-name=name] select").select_option("usajobs_search")
    opened.get_by_role("button", name="Execute").click()
    opened.locator(".live-responses-table .microlight", has_text='"control_number": 1').first.wait_for()
    assert [request for request in elsewhere if not request.startswith("data:")] == []
    assert problems == []
    context.close()
