"""The console in a real browser. The measurements are made up; page, script, styles and server are the real ones."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from services.ops.dlq.dead_letters import DeadLetter
from services.ops.overview.collector import Measurements
from services.ops.probe import Measured, Unavailable
from services.ops.queues.rates import QueueStatus
from services.ops.runs.runs import Run
from shared.config.topology import QUEUES
from tests.e2e.console_server import Console
from tests.e2e.widths import scrolling

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.e2e

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LONG = "bronze/usajobs_search/date=2026-01-02/run=20260102T030000Z-0123abcd/part=0001/" + "x" * 300
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def flows(visible: int, dead: int) -> tuple[QueueStatus, ...]:
    return tuple(QueueStatus(q.name, q.service, visible, 2, 0, dead, None, None, None, "unknown", None) for q in QUEUES)


def run(number: int) -> Run:
    return Run(
        run_id=f"20260102T0300{number:02}Z-0123abcd",
        dataset="usajobs_search",
        params={"Keyword": LONG},
        planned_at=NOW,
        completed_at=None,
        planned_pages=10,
        expected_records=4_990,
        distinct_records=None,
        pages=number,
        read=500 * number,
        inserted=500 * number,
        updated=0,
        unchanged=0,
        stale=0,
        quarantined=0,
        in_quarantine=0,
    )


LETTERS = [DeadLetter(q.name, "1", f'{{"key": "{LONG}"}}', "PermanentError", LONG, "3") for q in QUEUES]
BUSY = Measurements(
    at=NOW,
    queues=Measured(flows(visible=7, dead=1), NOW),
    runs=Measured([run(n) for n in range(9, 0, -1)], NOW),
    rows=Measured({"usajobs_search": {f"silver.{'long_name_' * 8}": 12_345}}, NOW),
    dead_letters=Measured(LETTERS, NOW),
    quiet=False,
)


@pytest.fixture
def console() -> Iterator[Console]:
    served = Console(BUSY)
    yield served
    served.stop()


@pytest.fixture
def page(browser: "Browser", console: Console) -> "Iterator[Page]":
    """The console's page, on a clock that only the test moves."""
    context = browser.new_context(viewport={"width": 1280, "height": 500})
    opened = context.new_page()
    opened.clock.install(time=NOW)
    opened.clock.pause_at(NOW + timedelta(hours=1))
    opened.goto(console.link)
    yield opened
    context.close()


def refresh(page: "Page") -> None:
    """Let the page look once more, and wait until it has the answer."""
    with page.expect_response("**/overview"):
        page.clock.run_for(2_000)


def count_of(page: "Page", label: str) -> str:
    return page.locator(".queue").first.locator("dl > div", has_text=label).locator("dd").inner_text()


def test_a_new_count_appears_by_itself(page: "Page", console: Console) -> None:
    assert count_of(page, "visible") == "7"
    console.shows = replace(BUSY, queues=Measured(flows(visible=8, dead=1), NOW))
    refresh(page)
    page.locator(".queue").first.get_by_text("8", exact=True).wait_for()


def test_focus_scroll_and_an_opened_message_survive_a_refresh(page: "Page", console: Console) -> None:
    summary = page.locator("summary").nth(1)
    summary.click()
    summary.focus()
    page.evaluate("window.scrollTo(0, 420); window.kept = document.activeElement")
    console.shows = replace(
        BUSY, runs=Measured([run(n) for n in range(12, 2, -1)], NOW), queues=Measured(flows(9, 2), NOW)
    )
    refresh(page)
    page.get_by_text("20260102T030012Z-0123abcd").wait_for()
    assert page.evaluate("document.activeElement === window.kept && document.activeElement.isConnected")
    assert page.evaluate("window.scrollY") == 420
    assert page.evaluate("window.kept.parentElement.open")


def test_focus_stays_when_what_stood_before_it_goes_away(page: "Page", console: Console) -> None:
    page.locator("summary").nth(1).focus()
    page.evaluate("window.kept = document.activeElement")
    console.shows = replace(BUSY, dead_letters=Measured(LETTERS[1:], NOW))
    refresh(page)
    page.locator("caption", has_text="3 read").wait_for()
    assert page.evaluate("document.activeElement === window.kept && document.activeElement.isConnected")


def test_a_run_that_leaves_the_list_leaves_the_page(page: "Page", console: Console) -> None:
    console.shows = replace(BUSY, runs=Measured([run(10), *(run(n) for n in range(9, 1, -1))], NOW))
    refresh(page)
    page.locator("#run-20260102T030010Z-0123abcd").wait_for()
    shown = page.locator(".runs tbody tr").evaluate_all("rows => rows.map(row => row.id)")
    assert shown == [f"run-20260102T0300{n:02}Z-0123abcd" for n in range(10, 1, -1)]


def test_a_hidden_tab_asks_for_nothing_until_it_is_seen_again(page: "Page") -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/overview" in request.url else None)
    page.evaluate(
        "window.isHidden = true; Object.defineProperty(document, 'hidden', {get: () => window.isHidden});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.clock.run_for(20_000)
    assert asked == []
    with page.expect_response("**/overview"):
        page.evaluate("window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")


def test_a_console_that_does_not_answer_makes_the_page_say_that_it_is_old(page: "Page") -> None:
    page.route("**/overview", lambda route: route.abort())
    page.clock.run_for(2_000)
    page.get_by_text("The console does not answer").wait_for()
    page.unroute("**/overview")
    refresh(page)
    page.get_by_text("The console does not answer").wait_for(state="detached")


def test_only_a_change_of_state_is_announced(page: "Page", console: Console) -> None:
    console.shows = replace(BUSY, queues=Measured(flows(visible=8, dead=2), NOW))
    refresh(page)
    page.locator(".verdict", has_text="8 dead letters").wait_for()
    assert page.locator("#said").inner_text() == ""
    console.shows = replace(BUSY, queues=Unavailable("SQS is away"), dead_letters=Unavailable("SQS is away"))
    refresh(page)
    page.locator("#said", has_text="queues, dead letters unknown").wait_for()


def test_hostile_text_is_only_text(page: "Page", console: Console) -> None:
    letter = DeadLetter(QUEUES[0].name, "1", HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    console.shows = replace(BUSY, dead_letters=Measured([letter], NOW))
    refresh(page)
    page.get_by_text(HOSTILE).first.wait_for()
    page.reload()
    assert "owned" not in page.title()
    assert page.locator("main img, main script").count() == 0


def test_no_width_scrolls_sideways_and_nothing_comes_from_elsewhere(browser: "Browser", console: Console) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(console.link)
    for summary in page.locator("summary").all():
        summary.click()
    assert scrolling(page) == []
    assert [url for url in asked if not url.startswith(console.url)] == []
    assert complaints == []
    context.close()


def test_without_javascript_the_page_reloads_itself(browser: "Browser", console: Console) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(console.link)
    console.shows = replace(BUSY, queues=Measured(flows(visible=8, dead=4), NOW))
    page.get_by_text("16 dead letters need attention").wait_for()
    context.close()


def test_the_first_tab_stop_skips_to_the_content(page: "Page") -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_request_under_another_name_is_refused(console: Console) -> None:
    assert httpx.get(console.url + "/login", headers={"Host": "smelt.example"}).status_code == 400
    assert httpx.get(console.url.replace("127.0.0.1", "localhost") + "/login").status_code == 200


@pytest.mark.parametrize("path", ["/", "/overview", "/healthz", "/static/console.js", "/nothing"])
def test_every_answer_carries_the_security_headers(console: Console, path: str) -> None:
    headers = console.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_the_page_and_its_health_are_there_when_nothing_can_be_measured(console: Console) -> None:
    away = Unavailable("away")
    console.shows = Measurements(NOW, queues=away, runs=away, rows=away, dead_letters=away, quiet=False)
    assert console.get().status_code == 200
    assert httpx.get(f"{console.url}/healthz").text == "ok"
