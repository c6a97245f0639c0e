"""The console's page from plain data, and the gauges that measure without waiting for what hangs."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from time import monotonic
from typing import Any

import pytest

from services.ops.console import pages
from services.ops.dlq import filters
from services.ops.dlq.dead_letters import DeadLetter
from services.ops.lineage.objects import ObjectStatus, ObjectVersionStatus
from services.ops.lineage.rows import LEDGER, RowLineage
from services.ops.overview import model, web
from services.ops.overview.collector import Measurements
from services.ops.probe import CachedProbe, Measured, Unavailable
from services.ops.queues.rates import QueueStatus
from services.ops.runs.runs import Run
from services.ops.web.user import User
from shared.config.topology import BRONZE, QUEUES, SILVER
from shared.engine.worker_status import ObservedStatus, WorkerStatus
from shared.version import VERSION

TEMPLATES = pages.templates()
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOSTILE = "<script>alert('x')</script>"
RUN = Run(
    run_id="20260102T030000Z-0123abcd",
    dataset="usajobs_search",
    params={"Keyword": "nurse"},
    planned_at=NOW - timedelta(minutes=5),
    completed_at=NOW - timedelta(minutes=4),
    planned_pages=4,
    expected_records=100,
    distinct_records=98,
    pages=4,
    read=100,
    inserted=90,
    updated=5,
    unchanged=2,
    stale=1,
    quarantined=2,
    in_quarantine=2,
)
LETTER = DeadLetter(SILVER.name, "1", '{"key": "silver/a"}', "PermanentError", "batch refused", "3")
EMPTY = tuple(QueueStatus(queue.name, queue.service, 0, 0, 0, 0, 0.0, None, None, "empty", None) for queue in QUEUES)
HEALTHY = Measurements(
    at=NOW,
    queues=Measured(EMPTY, NOW),
    runs=Measured([RUN], NOW),
    rows=Measured({"usajobs_search": {"silver.job": 12_345}}, NOW),
    dead_letters=Measured([], NOW),
    quiet=True,
    workers=Measured(
        [ObservedStatus(WorkerStatus(q.service, "host", 1, 0.0, 0.0, (), 0, None), 0.0) for q in QUEUES], NOW
    ),
    latencies=Measured([], NOW),
)
BLIND = replace(HEALTHY, queues=Unavailable("SQS is away"), dead_letters=Unavailable("SQS is away"))


def render(template: str, measured: Measurements) -> str:
    user = User("ann", "operator", "session", "form")
    return TEMPLATES.get_template(template).render(**web.template_values(measured), user=user, path="/")


def with_queue(**counts: int) -> Measurements:
    flow = replace(EMPTY[-1], **counts)  # type: ignore[arg-type]
    return replace(HEALTHY, queues=Measured((*EMPTY[:-1], flow), NOW))


def with_run(**columns: object) -> Measurements:
    return replace(HEALTHY, runs=Measured([replace(RUN, **columns)], NOW))  # type: ignore[arg-type]


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def page(measured: Measurements) -> str:
    return text_of(render("overview/fragment.html", measured))


def letter_page(user: User) -> str:
    shown = {"letter": LETTER, "stored": {}, "now": 0.0, "ids": ["1"], "queues": []}
    return TEMPLATES.get_template("dlq/dead_letter.html").render(**shown, user=user, path="/dead-letters/1")


def test_the_lineage_of_a_row_and_of_an_object_show_their_entries_in_the_ledger() -> None:
    entry = {column.name: 1 for column in LEDGER} | {"is_last_batch": False, "loaded_at": NOW, "run_id": None}
    row = RowLineage("d", "42", "silver.d", entry, None, None, None, None, None, ())
    status = ObjectStatus("bronze/d/x", None, (ObjectVersionStatus("v", NOW, 1, "loaded", (entry,), ()),), 0)
    shown = {"fields": {"key": "42", "dataset": ""}, "key": "42", "rows": [row], "status": status, "bucket": "lake"}
    user = User("ann", "viewer", "session", "form")
    html = TEMPLATES.get_template("lineage/lineage.html").render(**shown, user=user, path="/lineage")
    assert text_of(html).count("transform version 1, batch 1") == 2


def test_who_may_only_look_sees_no_action() -> None:
    assert re.findall(r'method="post" action="([^"]*)"', letter_page(User("bob", "viewer", "s", "f"))) == ["/logout"]
    assert "/dead-letters/replay" in letter_page(User("ann", "operator", "s", "f"))


def test_every_form_that_changes_something_carries_the_session_s_token() -> None:
    templates = [*pages.OPS.glob("*/templates/*.html")]
    assert len(templates) > 20
    for template in templates:
        for form in re.findall(r'<form[^>]*method="post"[^>]*>.*', template.read_text()):
            following = template.read_text().partition(form)[2][:60]
            assert "ours()" in form + following or 'action="/login"' in form, template.name


def test_every_page_says_the_version_to_whoever_is_logged_in() -> None:
    assert text_of(render("overview/page.html", HEALTHY)).endswith(f"smelt {VERSION}")
    assert VERSION not in TEMPLATES.get_template("console/login.html").render(
        user=None, path="/login", to="/", wrong=False
    )


def test_the_pipeline_reads_from_source_to_postgres() -> None:
    html = render("overview/fragment.html", HEALTHY)
    stations = re.findall(r"<strong>([\w-]+)</strong>\s*<(?:small|dl)>", html)
    assert stations == [
        "Source", "smelt-extract", "extractor", "Bronze", "smelt-bronze", "smelt-uploads", "transformer", "Silver",
        "smelt-silver", "loader", "Postgres",
    ]  # fmt: skip


def test_the_counts_of_a_queue_are_shown() -> None:
    assert "visible 1,234 in flight 5 delayed 6" in page(with_queue(visible=1_234, in_flight=5, delayed=6))


def test_the_whole_page_holds_the_fragment() -> None:
    assert render("overview/fragment.html", HEALTHY).strip() in render("overview/page.html", HEALTHY)


@pytest.mark.parametrize("place", ["error_message", "error_type", "body", "attempts"])
def test_what_a_dead_letter_says_is_escaped(place: str) -> None:
    hostile: dict[str, Any] = {place: HOSTILE}
    measured = replace(with_queue(dead=1), dead_letters=Measured([replace(LETTER, **hostile)], NOW))
    html = render("overview/page.html", measured)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(&#39;x&#39;)" in html


@pytest.mark.parametrize(
    "measured",
    [
        with_run(run_id=HOSTILE),
        with_run(dataset=HOSTILE),
        with_run(params={HOSTILE: HOSTILE}),
        with_run(run_id=HOSTILE, read=1),
        replace(HEALTHY, rows=Measured({HOSTILE: {HOSTILE: 1}}, NOW)),
        replace(HEALTHY, rows=Unavailable(HOSTILE)),
        replace(HEALTHY, runs=Unavailable(HOSTILE)),
        replace(HEALTHY, queues=Unavailable(HOSTILE)),
    ],
)
def test_whatever_comes_from_outside_is_escaped(measured: Measurements) -> None:
    html = render("overview/page.html", measured)
    assert "<script>alert" not in html
    assert "&lt;script&gt;" in html


def test_no_markup_needs_inline_script_or_style() -> None:
    html = render("overview/page.html", replace(with_queue(dead=1), dead_letters=Measured([LETTER], NOW)))
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script>", html)


def test_queues_that_cannot_be_measured_are_unknown_and_never_zero() -> None:
    html = render("overview/fragment.html", BLIND)
    assert re.findall(r"<dd>(.*?)</dd>", html) == ["unknown"] * 4 * len(QUEUES)
    assert "Queues unknown : SQS is away" in text_of(html)


def test_without_the_queues_nobody_says_that_there_are_no_dead_letters() -> None:
    assert "None." not in page(BLIND)
    assert model.overall_status(BLIND).level == "unknown"


def test_a_database_that_is_away_leaves_the_queues_on_the_page() -> None:
    measured = replace(with_queue(visible=7), runs=Unavailable("refused"), rows=Unavailable("refused"))
    shown = page(measured)
    assert "visible 7" in shown
    assert "Runs unknown : refused" in shown
    assert "rows unknown" in shown
    assert "None yet" not in shown


def test_an_old_count_says_how_old_it_is() -> None:
    old = replace(HEALTHY, rows=Measured({"usajobs_search": {"silver.job": 5}}, NOW - timedelta(seconds=30)))
    assert model.database(old).detail == "5 rows at 03:03:35"


def test_dead_letters_stand_out_by_words_and_by_a_sign() -> None:
    html = render("overview/fragment.html", with_queue(dead=3))
    assert 'class="verdict dead"' in html
    assert "3 dead letters need attention" in html
    assert re.search(r'class="dead some"><dt><svg.*#icon-warning.*</svg> dead letters</dt><dd>3</dd>', html)


def test_no_dead_letter_draws_no_attention() -> None:
    html = render("overview/fragment.html", HEALTHY)
    assert "#icon-warning" not in html
    assert "dead some" not in html


def test_dead_letters_are_grouped_by_queue_and_reason() -> None:
    bronze = replace(LETTER, queue=BRONZE.name)
    died = replace(LETTER, error_type="worker died")
    found = filters.grouped([died, LETTER, bronze, LETTER])
    assert [(group.queue, group.error_type, len(group.letters)) for group in found] == [
        (BRONZE.name, "PermanentError", 1),
        (SILVER.name, "PermanentError", 2),
        (SILVER.name, "worker died", 1),
    ]


def test_letters_that_the_look_did_not_see_are_not_forgotten() -> None:
    measured = replace(with_queue(dead=5), dead_letters=Measured([LETTER], NOW))
    assert "of 5, the others are newer or held by another process" in page(measured)


def test_a_run_names_the_dead_letters_that_hold_it_up() -> None:
    letter = replace(LETTER, body=f'{{"key": "silver/run={RUN.run_id}/page=0001"}}')
    measured = replace(with_queue(dead=2), dead_letters=Measured([letter, LETTER], NOW))
    assert [view.dead for view in model.run_views(measured)] == [1]


def test_a_kept_conservation_law_is_shown_in_full() -> None:
    assert f"{RUN.conservation} ✓ adds up" in page(HEALTHY)


def test_a_broken_conservation_law_is_the_first_thing_on_the_page() -> None:
    measured = replace(with_run(inserted=89), queues=with_queue(dead=1).queues)
    assert model.overall_status(measured).text == f"1 run does not add up: {RUN.run_id}"
    assert 'class="conservation broken"' in render("overview/fragment.html", measured)
    assert "✓" not in page(measured)


def test_a_quarantined_record_that_cannot_be_found_breaks_the_law() -> None:
    assert "does not add up 2 quarantined, 1 of them in the quarantine table" in page(with_run(in_quarantine=1))


def test_missing_coverage_is_counted() -> None:
    assert "7 missing of 100 announced" in page(with_run(distinct_records=91))


def test_a_source_that_announces_no_number_is_not_said_to_be_covered() -> None:
    shown = page(with_run(expected_records=0))
    assert "no number announced" in shown
    assert "all 0 announced" not in shown


def test_coverage_is_not_claimed_before_a_run_is_complete() -> None:
    shown = page(with_run(completed_at=None, distinct_records=None))
    assert "known when complete" in shown
    assert "all 100 announced" not in shown


@pytest.mark.parametrize(
    ("measured", "state"),
    [
        (HEALTHY, "complete"),
        (replace(with_run(completed_at=None), quiet=False), "running"),
        (with_run(completed_at=None, at=NOW + timedelta(hours=1)), "incomplete"),
        (with_run(completed_at=None, planned_at=NOW, at=NOW), "running"),
        (replace(with_run(completed_at=None), queues=Unavailable("away")), "unknown"),
    ],
)
def test_a_run_is_incomplete_only_when_nothing_is_on_the_way(measured: Measurements, state: str) -> None:
    assert [view.state for view in model.run_views(measured)] == [state]


def test_a_run_without_pages_is_drawn() -> None:
    assert "0 / 0" in page(with_run(planned_pages=0, pages=0))


def test_without_runs_the_page_says_how_to_start_one() -> None:
    assert "smelt runs start" in page(replace(HEALTHY, runs=Measured([], NOW)))


def test_a_service_with_messages_that_it_does_not_take_is_told_from_an_idle_one() -> None:
    assert model.stages(with_queue(visible=1).queues)[-1].activity == "takes nothing"
    assert model.stages(HEALTHY.queues)[-1].activity == "nothing to do"


@pytest.mark.parametrize(("visible", "filled"), [(0, 0), (1, 1), (2, 2), (511, 9), (512, 10), (1_000_000, 10)])
def test_a_drawn_queue_fills_by_doubling(visible: int, filled: int) -> None:
    assert model.stages(with_queue(visible=visible).queues)[-1].lanes[0].filled == filled


def test_a_part_that_hangs_is_unknown_and_is_asked_only_once() -> None:
    answer = Event()
    asked = []

    def hangs() -> bool:
        asked.append(1)
        return answer.wait()

    gauge = CachedProbe("part", hangs)
    assert gauge.read(monotonic()) == Unavailable("no response in time")
    assert gauge.read(monotonic()) == Unavailable("no response in time")
    answer.set()
    assert isinstance(gauge.read(monotonic() + 10), Measured)
    assert asked == [1]


def test_a_part_that_fails_is_unknown_with_the_reason_in_one_line() -> None:
    def fails() -> int:
        message = "connection refused\nis the server running?"
        raise OSError(message)

    assert CachedProbe("part", fails).read(monotonic() + 10) == Unavailable("connection refused")


def test_a_part_that_fails_after_it_worked_does_not_keep_its_old_value() -> None:
    answers = iter([1])
    gauge = CachedProbe("part", lambda: next(answers), rest=0, lasting=60)
    gauge._next = float("-inf")
    assert isinstance(gauge.read(monotonic() + 10), Measured)
    gauge._next = float("-inf")
    assert isinstance(gauge.read(monotonic() + 10), Unavailable)


def test_a_lasting_value_is_shown_while_a_newer_one_takes_long() -> None:
    answer = Event()
    answer.set()
    gauge = CachedProbe("part", answer.wait, lasting=60)
    first = gauge.read(monotonic() + 10)
    answer.clear()
    gauge._next = float("-inf")
    assert gauge.read(monotonic() + 10) == first
    answer.set()
