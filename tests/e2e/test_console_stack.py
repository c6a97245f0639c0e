"""The console over a real stack, in a real browser: it shows a run go on, and an operator mends what went wrong."""

import json
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from infra.embedded import stack
from shared.config.topology import SILVER
from tests.e2e.conftest import Deployment
from tests.e2e.widths import scrolling

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.e2e

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
LONG = "x" * 300
PAGES = ("/", "/runs", "/dead-letters?all=1", "/quarantine?closed=1", "/drift", "/schedules", "/audit")
LISTS_WITH_HOSTILE_TEXT = ("/dead-letters?all=1", "/quarantine?closed=1", "/drift", "/audit")
FIRST_LINKS = ("/runs/", "/dead-letters/", "/quarantine/")  # of each list the first page behind it
OTHERS = ("/lineage?key=840000001", f"/lineage?key={LONG}", "/runbooks/dead-letters", "/runs/none", "/actions/none")


@pytest.fixture
def page(browser: "Browser", deployment: Deployment) -> "Iterator[Page]":
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    opened = context.new_page()
    opened.goto(deployment.console)
    yield opened
    context.close()


@pytest.fixture(scope="module")
def hostile(deployment: Deployment) -> str:
    """A dead letter, a rejected record, drift and an audit row that would rather be a page; the letter's id."""
    letter = bury(deployment, HOSTILE + LONG)
    values = (HOSTILE + LONG,) * 7
    deployment.execute(
        "insert into ops.quarantine (dataset, bucket, key, version, transform_version, record_index, rule, field,"
        " message, problems, raw, natural_key, observed_at) values (%s, 'b', %s, 'v', 1, 0, %s, %s, %s, %s, %s, %s,"
        " now())",
        *values[:5],
        json.dumps([{"rule": HOSTILE, "field": HOSTILE, "message": HOSTILE}]),
        json.dumps(HOSTILE),
        HOSTILE,
    )
    deployment.execute(
        "insert into ops.schema_drift (dataset, source, kind, path, detail, records) values (%s, %s, %s, %s, %s, 1)",
        *values[:5],
    )
    deployment.execute(
        "insert into ops.operator_action (kind, operator, filter, matched, outcome) values (%s, %s, %s, 1, %s)",
        HOSTILE, HOSTILE, json.dumps({HOSTILE: [HOSTILE]}), HOSTILE,
    )  # fmt: skip
    return letter


def bury(deployment: Deployment, body: str, queue: str = "SILVER") -> str:
    """A dead letter; its id."""
    url = deployment.environment[f"SMELT_{queue}_QUEUE_URL"] + "-dlq"
    reason = {"error_type": "PermanentError", "error_message": f"not to be understood: {body[:100]}", "attempts": "1"}
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in reason.items()}
    sent = deployment.client("sqs").send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
    return str(sent["MessageId"])


@contextmanager
def standing_still(deployment: Deployment, service: str) -> Iterator[None]:
    """Its workers take nothing for a while."""
    pids = [part.pid for part in stack.status(deployment.home) if part.name.startswith(service) and part.pid]
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_depth_rises_and_falls_on_the_overview_while_a_run_goes_on(page: "Page", deployment: Deployment) -> None:
    lane = page.locator(".queue", has_text=SILVER.name)
    waiting = lane.locator("dl > div", has_text="visible").locator("dd")
    with standing_still(deployment, "loader"):
        run_id = json.loads(deployment.smelt("runs", "start", "usajobs_search", "--json").stdout)["run_id"]
        waiting.filter(has_text="1").or_(waiting.filter(has_not_text="0")).wait_for()
    page.locator(f"[id='run-{run_id}'] .state.complete").wait_for()
    waiting.get_by_text("0", exact=True).wait_for()
    plot = page.locator("figure", has=page.get_by_role("img", name=f"{SILVER.name}, messages"))
    assert plot.locator("polyline").count() > 0
    assert "at most 0" not in plot.inner_text()


def test_a_dead_letter_is_mended_and_replayed_from_the_page(page: "Page", deployment: Deployment) -> None:
    mark = f"analyst {uuid.uuid4().hex}"
    command = {"version": 1, "type": "run", "dataset": "usajobs_serch", "params": {"keyword": mark}}
    letter = bury(deployment, json.dumps(command), "EXTRACT")
    page.goto(f"{base(page)}/dead-letters?contains={mark}")
    page.get_by_role("link", name=letter[:8]).click()
    page.get_by_text("Replay it…").click()
    page.get_by_label("JSON patch for each body").fill(
        '[{"op": "replace", "path": "/dataset", "value": "usajobs_search"}]'
    )
    page.get_by_role("button", name="Preview the replay").click()
    page.get_by_text("Nothing has been done yet.").wait_for()
    assert '"dataset": "usajobs_search"' in page.get_by_label("Body as it would be sent").inner_text()
    assert replays(deployment, letter) == []
    page.get_by_role("button", name="Replay 1 dead letter").click()
    page.get_by_text("Done: 1 of 1").wait_for()

    page.goto(f"{base(page)}/dead-letters?contains={mark}")
    assert "0 dead letters" in page.locator(".summary").inner_text()
    (row,) = replays(deployment, letter)
    assert (row["matched"], row["processed"], row["outcome"]) == (1, 1, "replayed")
    assert row["operator"].endswith(" (console)")
    assert row["filter"]["patch"][0]["value"] == "usajobs_search"
    page.goto(f"{base(page)}/audit")
    page.locator(f"#row-{row['id']}", has_text="replayed").wait_for()
    assert deployment.eventually(lambda: deployment.rows("select 1 from ops.run where params ->> 'keyword' = %s", mark))


def test_a_dead_letter_is_discarded_with_a_reason_and_only_once(page: "Page", deployment: Deployment) -> None:
    mark = uuid.uuid4().hex
    letter = bury(deployment, mark)
    page.goto(f"{base(page)}/dead-letters/{letter}")
    page.get_by_text("Discard it…").click()
    page.get_by_label("Reason").fill("a test of ours")
    page.get_by_role("button", name="Preview the discard").click()
    page.get_by_role("button", name="Discard 1 dead letter").click()
    page.get_by_text("Done: 1 of 1").wait_for()
    form = page.locator("input[name=form]").first.input_value()
    again = page.request.post(f"{page.url}/confirm", form={"form": form}, headers={"Origin": base(page)})
    assert again.status == 200
    (row,) = replays(deployment, letter)
    assert (row["processed"], row["outcome"], row["filter"]["reason"]) == (1, "discarded", "a test of ours")
    assert page.goto(f"{base(page)}/dead-letters/{letter}").status == 404  # type: ignore[union-attr]


def test_a_rejected_record_is_replayed_from_its_page(page: "Page", deployment: Deployment) -> None:
    items = [
        {
            "MatchedObjectId": str(970000000 + n),
            "MatchedObjectDescriptor": {"PositionTitle": f"Smelter {n}" if n else None},
        }
        for n in range(30)
    ]
    key = deployment.upload("titles.json", json.dumps({"SearchResult": {"SearchResultItems": items}}).encode())
    entry = deployment.eventually(lambda: deployment.rows("select id from ops.quarantine where key = %s", key))[0]["id"]
    page.goto(f"{base(page)}/quarantine/{entry}")
    page.get_by_role("button", name="Preview its replay").click()
    page.get_by_role("button", name="Replay 1 rejected record").click()
    page.get_by_text("Done: 1 of 1").wait_for()
    (row,) = deployment.rows(
        "select * from ops.operator_action where kind = 'quarantine' and filter -> 'ids' @> %s", str(entry)
    )
    assert (row["processed"], row["outcome"]) == (1, "replayed")
    again = "select 1 from ops.quarantine where id = %s and closed_as = 'replayed'"
    assert deployment.eventually(lambda: deployment.rows(again, entry))


def test_what_nobody_confirms_is_not_done(page: "Page", deployment: Deployment) -> None:
    letter = bury(deployment, uuid.uuid4().hex)
    page.goto(f"{base(page)}/dead-letters/{letter}")
    page.get_by_text("Replay it…").click()
    page.get_by_role("button", name="Preview the replay").click()
    page.get_by_role("link", name="Cancel").click()
    assert page.goto(f"{base(page)}/dead-letters/{letter}").status == 200  # type: ignore[union-attr]
    assert replays(deployment, letter) == []


def test_a_patch_that_is_none_is_told_and_nothing_happens(page: "Page", hostile: str) -> None:
    page.goto(f"{base(page)}/dead-letters/{hostile}")
    page.get_by_text("Replay it…").click()
    page.get_by_label("JSON patch for each body").fill("/etc/passwd")
    page.get_by_role("button", name="Preview the replay").click()
    page.get_by_text("not a JSON patch").wait_for()


def test_hostile_text_is_only_text_on_every_page(page: "Page", deployment: Deployment, hostile: str) -> None:
    (entry,) = deployment.rows("select id from ops.quarantine where natural_key = %s", HOSTILE)
    with_hostile_text = {*LISTS_WITH_HOSTILE_TEXT, f"/dead-letters/{hostile}", f"/quarantine/{entry['id']}"}
    shown = set()
    for path in {*paths(page), *with_hostile_text}:
        page.goto(base(page) + path)
        shown |= {path} if HOSTILE in page.locator("main").inner_text() else set()
        assert "owned" not in page.title(), path
        assert page.locator("main img, main script").count() == 0, path
    assert with_hostile_text <= shown


def test_no_page_scrolls_sideways_or_asks_for_anything_elsewhere(page: "Page", hostile: str) -> None:
    assert hostile
    complaints: list[str] = []
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if "404" not in message.text else None)
    for path in paths(page):
        page.goto(base(page) + path)
        for summary in page.locator("summary").all():
            summary.click()
        assert scrolling(page) == [], path
        unnamed = "[...document.querySelectorAll('main input:not([type=hidden]), main select, main textarea')]"
        assert page.evaluate(f"{unnamed}.filter(field => !field.labels.length).map(field => field.name)") == [], path
    assert [url for url in asked if not url.startswith(base(page))] == []
    assert complaints == []


@pytest.mark.parametrize("path", ["/dead-letters", "/quarantine?closed=1", "/schedules"])
def test_without_javascript_pages_and_forms_are_the_same(
    browser: "Browser", deployment: Deployment, hostile: str, path: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(deployment.console)
    page.goto(base(page) + path)
    assert page.locator("h1").count() == 1
    page.goto(f"{base(page)}/dead-letters/{hostile}")
    page.get_by_text("Replay it…").click()
    page.get_by_role("button", name="Preview the replay").click()
    page.get_by_text("Nothing has been done yet.").wait_for()
    context.close()


def base(page: "Page") -> str:
    return "/".join(page.url.split("/")[:3])


def paths(page: "Page") -> list[str]:
    """Every page there is, and of each list the first one behind it."""
    found = [*PAGES, *OTHERS]
    for target, start in zip(PAGES[1:4], FIRST_LINKS, strict=True):
        page.goto(base(page) + target)
        links = page.locator(f"main a[href^='{start}']")
        found += [str(links.first.get_attribute("href"))] if links.count() else []
    return found


def replays(deployment: Deployment, letter: str) -> list[dict[str, Any]]:
    return deployment.rows("select * from ops.operator_action where filter -> 'ids' ? %s order by id", letter)
