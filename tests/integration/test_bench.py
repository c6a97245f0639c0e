"""The benchmarks, as small as they get: that they run, agree on what was loaded, and clean up."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from bench import processes, report, tables
from bench.comparison import Samples, differences
from bench.contents import contents
from bench.goals import goals
from bench.memory import write_lines
from bench.requests import price
from bench.run import Plan, Result, run
from bench.workload import postings_of, simulated

pytestmark = pytest.mark.integration

SMALLEST = Plan(
    postings=50,
    rounds=1,
    others=(),
    uploads=2,
    small_files=2,
    backlog=60,
    run=60,
    gold=3_000,
    asked=2,
    letters=25,
    page=False,
)
BURNING = "import time\nwhile time.process_time() < 0.3: pass"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run of this module keeps its temporary files."""
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def result(folder: Path) -> Iterator[Result]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(folder))
        yield run(SMALLEST, lambda _: None)


def test_every_contender_has_loaded_the_same(result: Result) -> None:
    assert result.differences == ()
    cold = [one.contents for one in result.outcome.samples.every if one.phase == "cold" and one.contents.digest]
    assert len(cold) == 4  # in process, in two processes, the whole stack, the floor
    assert {one.postings for one in cold} == {50}


def test_content_that_differs_is_told(result: Result) -> None:
    first, *others = result.outcome.samples.every
    lost = replace(first, contents=replace(first.contents, postings=49, digest="0"))
    told = differences(Samples((lost, *others)), result.workloads[0])
    assert told == [
        f"realistic, cold, {first.contender}: 49 postings of 50",
        *(line for line in told if "differ in content" in line),
    ]
    assert len(told) == 2


def test_nothing_is_left_behind(result: Result, folder: Path) -> None:
    assert result.machine
    assert list(folder.iterdir()) == []


def test_all_but_memory_is_measured_and_told(result: Result) -> None:
    with_dlt = not any(line.startswith("dlt") for line in result.left_out)
    unmeasured = [goal.what for goal in goals(result.outcome) if goal.met is None]
    assert len(unmeasured) == (2 if with_dlt else 5)
    assert tables.of_goals(goals(result.outcome)) in report.summary(result)
    assert "PutObject" in report.document(result, minutes=1)


def test_requests_are_those_of_a_run_and_priced(result: Result) -> None:
    requests = result.outcome.requests
    assert requests
    assert requests.counted["s3.PutObject"] == 3  # plan, page, silver
    assert requests.counted["sqs.SendMessage, by S3"] == 3
    assert requests.dollars == pytest.approx(
        sum(price(name) * times for name, times in requests.counted.items()) / requests.postings * 1e6
    )
    assert price("s3.PutObject") > price("s3.GetObject")


def test_the_digest_sees_a_changed_value_and_no_order(result: Result, database: Engine) -> None:
    assert result
    insert = "insert into silver.job (control_number, position_title, object_id) values (:n, :title, :n)"
    rows = [{"n": 1, "title": "Nurse"}, {"n": 2, "title": "Clerk"}]
    digests = []
    for order in (rows, rows[::-1], [rows[0], rows[1] | {"title": "Guard"}]):
        with database.connect() as connection:
            connection.execute(text(insert), order)
            digests.append(contents(connection))
    assert digests[0] == digests[1] != digests[2]


def test_one_posting_in_33_is_changed() -> None:
    cold, again, changed = (
        [posting for page in fetch.pages for posting in postings_of(page)] for fetch in simulated(66).fetches
    )
    assert again == cold
    assert [number for number in range(66) if changed[number] != cold[number]] == [0, 33]


def test_cpu_of_children_that_have_ended_counts() -> None:
    script = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURNING!r}]); print(1, flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        assert parent.stdin
        parent.stdout.readline()
        used = processes.seconds([parent.pid])
        parent.stdin.write(b"\n")
    assert used > 0.29


def test_the_large_upload_has_no_posting_twice(tmp_path: Path) -> None:
    postings = write_lines(tmp_path / "lines", 200_000)
    lines = (tmp_path / "lines").read_bytes().splitlines()
    assert len(lines) == len(set(lines)) == postings
